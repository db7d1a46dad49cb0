// Frames out of bytes, however they arrive.

import Support
import TTRPC
import Testing

@Suite struct FrameDecoderTests {
    private func verifier(limit: Int = Frame.longestPayload) -> DecoderVerifier<FrameDecoder.Output> {
        DecoderVerifier {
            var decoder = FrameDecoder(limit: limit)
            return { decoder.decoding($0) }
        }
    }

    @Test("frames come out the same whole, dripped, cut and coalesced")
    func delivery() {
        let frames = [
            Frame(stream: 1, type: .request, payload: Array("hello".utf8)),
            Frame(stream: 3, type: .data, flags: [.remoteClosed, .noData]),
            Frame(stream: 0xffff_ffff, type: .response, payload: [UInt8](repeating: 7, count: 3000)),
            Frame(stream: 0, type: FrameType(rawValue: 255), flags: FrameFlags(rawValue: 255), payload: [0]),
        ]
        verifier().verify(frames.map { ($0.encoded, [.frame($0)]) })
    }

    @Test("a frame over the limit is reported once, skipped, and the next one is read")
    func oversize() {
        let long = Frame(stream: 5, type: .request, payload: [UInt8](repeating: 1, count: 101))
        let header = FrameHeader(length: 101, stream: 5, type: .request, flags: [])
        let exact = Frame(stream: 7, type: .request, payload: [UInt8](repeating: 2, count: 100))
        verifier(limit: 100).verify([(long.encoded, [.oversize(header)]), (exact.encoded, [.frame(exact)])])
    }

    @Test("a header that promises 4 GiB is answered at once and keeps nothing of what follows")
    func neverEnding() {
        var decoder = FrameDecoder()
        let header = FrameHeader(length: .max, stream: 1, type: .data, flags: [])
        #expect(decoder.decoding([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 3, 0]) == [.oversize(header)])
        for _ in 0..<16 { #expect(decoder.decoding([UInt8](repeating: 0xaa, count: 1 << 16)).isEmpty) }
        #expect(decoder.isWithinFrame)
    }

    @Test("a decoder knows whether a frame has begun")
    func withinFrame() {
        let bytes = Frame(stream: 1, type: .data, payload: [1, 2]).encoded
        var decoder = FrameDecoder()
        #expect(!decoder.isWithinFrame)
        for byte in bytes.dropLast() {
            _ = decoder.decoding([byte])
            #expect(decoder.isWithinFrame)
        }
        _ = decoder.decoding(bytes.suffix(1))
        #expect(!decoder.isWithinFrame)
    }

    @Test("random bytes never trap and give the same in any pieces", arguments: 0..<64)
    func garbage(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let bytes = (0..<2000).map { _ in
            // Small numbers are frequent, so that headers with believable lengths occur.
            random.next() % 3 == 0 ? UInt8(truncatingIfNeeded: random.next()) : 0
        }
        var whole = FrameDecoder(limit: 64)
        var pieces = FrameDecoder(limit: 64)
        var outputs: [FrameDecoder.Output] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = 1 + Int(random.next() % 40)
            outputs += pieces.decoding(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(whole.decoding(bytes) == outputs)
    }
}

extension FrameDecoder {
    mutating func decoding(_ bytes: [UInt8]) -> [Output] {
        var outputs: [Output] = []
        decode(bytes.span.bytes) { outputs.append($0) }
        return outputs
    }
}
