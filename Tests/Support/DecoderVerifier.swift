// Every parser of a byte stream is tried the ways a network may deliver to it.

import Testing

/// Checks that a decoder gives the same however its input is cut: whole, byte by byte, in two parts at every place,
/// several inputs at once, and that of a truncated input it gives a beginning of the same and nothing else.
public struct DecoderVerifier<Output: Equatable> {
    private let makeDecoder: () -> (_ bytes: [UInt8]) -> [Output]

    /// - Parameter makeDecoder: Makes a fresh decoder: a closure that takes the next bytes and returns what they complete.
    public init(_ makeDecoder: @escaping () -> (_ bytes: [UInt8]) -> [Output]) {
        self.makeDecoder = makeDecoder
    }

    /// - Parameters:
    ///   - cases: Inputs, each with what it must give to a fresh decoder.
    ///   - coalesced: Whether the inputs may follow each other on one stream; off for decoders of a single message.
    public func verify(
        _ cases: [(bytes: [UInt8], outputs: [Output])], coalesced: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (bytes, outputs) in cases { verify(bytes, outputs, sourceLocation) }
        guard coalesced, cases.count > 1 else { return }
        let bytes = cases.flatMap(\.bytes)
        let outputs = cases.flatMap(\.outputs)
        for size in [bytes.count, 1, 7, 4096] {
            #expect(feed(bytes, size) == outputs, "all inputs, \(size) bytes at a time", sourceLocation: sourceLocation)
        }
    }

    private func verify(_ bytes: [UInt8], _ outputs: [Output], _ sourceLocation: SourceLocation) {
        #expect(makeDecoder()(bytes) == outputs, "whole", sourceLocation: sourceLocation)
        #expect(feed(bytes, 1) == outputs, "byte by byte", sourceLocation: sourceLocation)
        // Every place in a short input, about 1024 in a long one.
        for cut in stride(from: 0, through: bytes.count, by: max(1, bytes.count / 1024)) {
            let decode = makeDecoder()
            let first = decode(Array(bytes[..<cut]))
            #expect(outputs.starts(with: first), "truncated after \(cut) bytes", sourceLocation: sourceLocation)
            #expect(first + decode(Array(bytes[cut...])) == outputs, "cut after \(cut) bytes", sourceLocation: sourceLocation)
        }
    }

    private func feed(_ bytes: [UInt8], _ size: Int) -> [Output] {
        let decode = makeDecoder()
        return stride(from: 0, to: bytes.count, by: max(1, size)).flatMap {
            decode(Array(bytes[$0..<min(bytes.count, $0 + size)]))
        }
    }
}
