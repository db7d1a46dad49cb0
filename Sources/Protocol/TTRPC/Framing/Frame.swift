// What travels on the wire: a 10-byte header and its data (docs/protocol.md, "Frames").

/// What a frame is for. An open set: a receiver ignores the types it does not know.
package struct FrameType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let request = FrameType(rawValue: 1)
    package static let response = FrameType(rawValue: 2)
    package static let data = FrameType(rawValue: 3)
    /// The caller gives the stream up. Not in ttrpc 1.2, whose servers ignore unknown types.
    package static let cancel = FrameType(rawValue: 0x80)
}

package struct FrameFlags: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The sender of the frame sends nothing more on this stream.
    package static let remoteClosed = FrameFlags(rawValue: 1)
    /// On a request: data frames follow.
    package static let remoteOpen = FrameFlags(rawValue: 2)
    /// On a data frame: it carries no message, not even an empty one.
    package static let noData = FrameFlags(rawValue: 4)
}

package struct FrameHeader: Hashable, Sendable {
    package static let size = 10

    /// Bytes of data behind the header.
    package var length: UInt32
    package var stream: UInt32
    package var type: FrameType
    package var flags: FrameFlags

    package init(length: UInt32, stream: UInt32, type: FrameType, flags: FrameFlags) {
        self.length = length
        self.stream = stream
        self.type = type
        self.flags = flags
    }

    /// Reads the 10 bytes of a header; nil for any other count.
    package init?(bytes: [UInt8]) {
        guard bytes.count == FrameHeader.size else { return nil }
        length = bytes[0..<4].reduce(0) { $0 << 8 | UInt32($1) }
        stream = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
        type = FrameType(rawValue: bytes[8])
        flags = FrameFlags(rawValue: bytes[9])
    }
}

package struct Frame: Hashable, Sendable {
    /// The longest data a ttrpc frame may carry, in bytes: 4 MiB.
    package static let longestPayload = 4 << 20

    package var stream: UInt32
    package var type: FrameType
    package var flags: FrameFlags
    package var payload: [UInt8]

    package init(stream: UInt32, type: FrameType, flags: FrameFlags = [], payload: [UInt8] = []) {
        self.stream = stream
        self.type = type
        self.flags = flags
        self.payload = payload
    }

    /// Appends header and data to `bytes`. The payload must not exceed `longestPayload`.
    package func encode(into bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + FrameHeader.size + payload.count)
        for number in [UInt32(truncatingIfNeeded: payload.count), stream] {
            for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        bytes.append(type.rawValue)
        bytes.append(flags.rawValue)
        bytes.append(contentsOf: payload)
    }

    /// Header and data.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }
}
