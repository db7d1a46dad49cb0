// Cuts a stream of bytes into frames, however the bytes arrive (docs/protocol.md, "Frames").

/// Turns bytes into frames. Holds at most one unfinished frame, and of that only what has arrived: a header
/// that promises 4 MiB costs nothing until they come.
package struct FrameDecoder: Sendable {
    package enum Output: Hashable, Sendable {
        case frame(Frame)
        /// A frame longer than the limit began; its data is skipped without being kept.
        case oversize(FrameHeader)
    }

    /// The longest data accepted, in bytes.
    package let limit: Int
    /// The header of the frame whose data is arriving.
    private var header: FrameHeader?
    /// What has arrived of the header, or after it of the data.
    private var partial: [UInt8] = []
    /// Bytes of an oversize frame still to come.
    private var skipping: UInt32 = 0

    package init(limit: Int = Frame.longestPayload) { self.limit = limit }

    /// Whether a frame has begun and not ended.
    package var isWithinFrame: Bool { header != nil || !partial.isEmpty || skipping > 0 }

    /// Takes the next bytes of the stream and gives `emit` what they complete, in order.
    package mutating func decode(_ bytes: RawSpan, _ emit: (Output) -> Void) {
        var offset = 0
        while offset < bytes.byteCount {
            let left = bytes.byteCount - offset
            if skipping > 0 {
                let count = min(Int(skipping), left)
                skipping -= UInt32(count)
                offset += count
                continue
            }
            let wanted = header.map { Int($0.length) } ?? FrameHeader.size
            let count = min(wanted - partial.count, left)
            bytes.extracting(offset..<offset + count).withUnsafeBytes { partial.append(contentsOf: $0) }
            offset += count
            if partial.count == wanted { complete(emit) }
        }
    }

    /// The header, or the data, in `partial` is whole.
    private mutating func complete(_ emit: (Output) -> Void) {
        let bytes = partial
        partial = []
        if let header {
            self.header = nil
            emit(.frame(Frame(stream: header.stream, type: header.type, flags: header.flags, payload: bytes)))
            return
        }
        guard let header = FrameHeader(bytes: bytes) else { return }
        if Int(header.length) > limit {
            skipping = header.length
            emit(.oversize(header))
        } else if header.length == 0 {
            emit(.frame(Frame(stream: header.stream, type: header.type, flags: header.flags)))
        } else {
            self.header = header
        }
    }
}
