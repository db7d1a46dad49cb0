// One answer of the kernel to a netlink message: NLMSG_ERROR, netlink(7).

import CNetfilter
import Linux

/// What the kernel says of one message: `errno` 0 is an acknowledgement.
package struct NetlinkAnswer: Equatable {
    /// The message's number in its batch.
    package let sequence: Int
    package let errno: Int32
    /// The kernel's own words (NLMSGERR_ATTR_MSG), or empty.
    package let words: String

    /// Takes the next answer from `bytes`; nil, leaving nothing, when there is no whole one.
    ///
    /// nlmsghdr (16 bytes) | i32 -errno | the header of what is answered (16) | attributes, where NLM_F_ACK_TLVS says so.
    package init?(consuming bytes: inout ArraySlice<UInt8>) {
        guard let message = NetlinkReader(consuming: &bytes, least: 36), message.integer(at: 4, as: UInt16.self) == UInt16(NLMSG_ERROR) else {
            bytes = []
            return nil
        }
        errno = message.integer(at: 16, as: Int32.self).map { $0 == .min ? EIO : -$0 } ?? EIO
        sequence = message.integer(at: 28, as: UInt32.self).map(Int.init) ?? 0
        let flags = message.integer(at: 6, as: UInt16.self) ?? 0
        words = flags & UInt16(NLM_F_ACK_TLVS) != 0 ? message.text(ofAttribute: UInt16(NLMSGERR_ATTR_MSG.rawValue), from: 36) : ""
    }
}

/// The bytes of a message, which may say anything.
struct NetlinkReader {
    private var bytes: ArraySlice<UInt8>

    /// Takes the next message from `bytes`; nil, leaving nothing, when there is no whole one of `least` bytes; struct nlmsghdr, netlink(7).
    init?(consuming bytes: inout ArraySlice<UInt8>, least: Int) {
        self.bytes = bytes
        guard let length = integer(at: 0, as: UInt32.self).map(Int.init), length >= least, length <= bytes.count else {
            bytes = []
            return nil
        }
        self.bytes = bytes.prefix(length)
        bytes = bytes.dropFirst((length + 3) & ~3)
    }

    /// An integer in host order, or nil past the end.
    func integer<Number: FixedWidthInteger>(at offset: Int, as: Number.Type) -> Number? {
        guard offset >= 0, bytes.count - offset >= MemoryLayout<Number>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    /// A text, or empty where there is none; `start` is where the attributes begin.
    func text(ofAttribute wanted: UInt16, from start: Int) -> String {
        var offset = start
        while let length = integer(at: offset, as: UInt16.self), let type = integer(at: offset + 2, as: UInt16.self),
            length >= 4, offset + Int(length) <= bytes.count
        {
            if type == wanted {
                let content = bytes.dropFirst(offset + 4).prefix(Int(length) - 4)
                return String(decoding: content.prefix { $0 != 0 }, as: UTF8.self)
            }
            offset += (Int(length) + 3) & ~3
        }
        return ""
    }
}
