// The bytes of one nf_tables transaction: messages and attributes as netlink(7) and nfnetlink.h lay them out.

import CNetfilter
import Linux

/// Messages that the kernel applies together or not at all.
///
/// Lengths and types are in host order, as netlink has them; numbers in nf_tables' attributes are big-endian.
struct NetfilterBatch {
    private(set) var bytes: [UInt8] = []
    /// What each message is about, for errors. A message's place here is its sequence number.
    private(set) var parts: [String] = []

    /// A batch with what `body` adds, between the messages that begin and end it
    /// (NFNL_MSG_BATCH_BEGIN and _END, nfnetlink.h: the first two numbers that netlink leaves free).
    init(_ body: (inout NetfilterBatch) -> Void) {
        border(NLMSG_MIN_TYPE, "the start of the transaction")
        body(&self)
        border(NLMSG_MIN_TYPE + 1, "the end of the transaction")
    }

    /// A question for all objects of a kind, in tables of every family; nothing is changed by it.
    static func dump(_ type: nf_tables_msg_types) -> [UInt8] {
        var question = NetfilterBatch()
        _ = question.header(
            type: UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(type.rawValue), flags: NLM_F_REQUEST | NLM_F_DUMP, family: UInt8(AF_UNSPEC),
            resource: 0, "the question")
        return question.bytes
    }

    private init() {}

    /// Adds a message about the family inet.
    /// - Parameter part: What it is about, for errors.
    mutating func message(
        _ type: nf_tables_msg_types, flags: Int32 = 0, _ part: @autoclosure () -> String, _ attributes: (inout NetfilterBatch) -> Void
    ) {
        let start = header(
            type: UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(type.rawValue), flags: NLM_F_REQUEST | NLM_F_ACK | flags,
            family: UInt8(NFPROTO_INET), resource: 0, part())
        attributes(&self)
        store(UInt32(bytes.count - start), at: start)
    }

    /// Adds an attribute whose content is attributes.
    mutating func nest(_ attribute: some RawRepresentable<UInt32>, _ content: (inout NetfilterBatch) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(UInt16(truncatingIfNeeded: attribute.rawValue | UInt32(NLA_F_NESTED)))
        content(&self)
        store(UInt16(truncatingIfNeeded: bytes.count - start), at: start)
    }

    /// Adds an attribute of raw bytes, padded to four.
    mutating func put(_ attribute: some RawRepresentable<UInt32>, _ value: some Collection<UInt8>) {
        append(UInt16(truncatingIfNeeded: value.count + 4))
        append(UInt16(truncatingIfNeeded: attribute.rawValue))
        bytes.append(contentsOf: value)
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    /// Adds a number, which nf_tables wants big-endian.
    mutating func put(_ attribute: some RawRepresentable<UInt32>, _ number: UInt32) {
        append(UInt16(8))
        append(UInt16(truncatingIfNeeded: attribute.rawValue))
        append(number.bigEndian)
    }

    /// Adds a name, with the zero byte at its end.
    mutating func put(_ attribute: some RawRepresentable<UInt32>, _ name: String) {
        put(attribute, Array(name.utf8) + [0])
    }

    private mutating func border(_ type: Int32, _ part: String) {
        _ = header(
            type: UInt16(truncatingIfNeeded: type), flags: NLM_F_REQUEST, family: UInt8(AF_UNSPEC),
            resource: UInt16(NFNL_SUBSYS_NFTABLES), part)
    }

    /// - Returns: Where the message starts; its length there is that of the headers alone.
    private mutating func header(type: UInt16, flags: Int32, family: UInt8, resource: UInt16, _ part: String) -> Int {
        let start = bytes.count
        append(UInt32(20))
        append(type)
        append(UInt16(truncatingIfNeeded: flags))
        append(UInt32(truncatingIfNeeded: parts.count))
        append(UInt32(0))
        bytes.append(family)
        bytes.append(UInt8(NFNETLINK_V0))
        append(resource.bigEndian)
        parts.append(part)
        return start
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    private mutating func store(_ value: some FixedWidthInteger, at offset: Int) {
        withUnsafeBytes(of: value) { new in
            for (index, byte) in new.enumerated() { bytes[offset + index] = byte }
        }
    }
}
