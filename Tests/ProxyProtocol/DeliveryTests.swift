// However a header arrives: whole, in pieces, with payload behind it, or not at all.

import Linux
import ProxyProtocol
import Support
import Testing

@Suite struct DeliveryTests {
    /// A header of each kind.
    static func headers() throws -> [[UInt8]] {
        [
            Array("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".utf8), Array("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n".utf8),
            Array("PROXY UNKNOWN\r\n".utf8), Array("PROXY UNKNOWN whatever\r\n".utf8), version2(), version2(0x20, 0, []),
            version2(0x21, 0x31, [UInt8](repeating: 0x2f, count: 216), tlv(2, "a")), try bytes(hex: TLVTests.haproxy),
        ]
    }

    @Test("a header split at any byte is incomplete until its last byte, and then the same header")
    func split() throws {
        for bytes in try DeliveryTests.headers() {
            for count in 0..<bytes.count { #expect(parse(bytes[..<count]) == .incomplete, "\(count) of \(bytes)") }
            guard case .header(_, bytes.count) = parse(bytes) else { throw Refused() }
        }
    }

    @Test("payload behind a header is not counted to it, not even a second header")
    func coalesced() throws {
        for bytes in try DeliveryTests.headers() {
            for payload in [[0x16, 3, 1], Array("GET / HTTP/1.1\r\n\r\n".utf8), bytes, [UInt8](repeating: 0xff, count: 70000)] {
                #expect(parse(bytes + payload) == parse(bytes))
            }
        }
    }

    @Test("headers and malformed headers give one verdict however they are cut")
    func verdicts() throws {
        let verifier = DecoderVerifier<ProxyParse> {
            var held: [UInt8] = []
            var verdict = ProxyParse.incomplete
            return { bytes in
                held += bytes
                guard verdict == .incomplete else { return [] }
                verdict = parse(held)
                return verdict == .incomplete ? [] : [verdict]
            }
        }
        let examples = Version1Tests.malformed + Version2Tests.malformed + TLVTests.malformed
        verifier.verify(try DeliveryTests.headers().map { ($0, [parse($0)]) }, coalesced: false)
        verifier.verify(examples.map { ($0.bytes, [.malformed($0.sentence)]) }, coalesced: false)
        // And what follows does not change it.
        for example in examples { #expect(parse(example.bytes + "\r\n\r\n".utf8) == .malformed(example.sentence)) }
    }

    @Test(
        "what cannot begin a header is known at its first byte that differs",
        arguments: [
            ([0x16, 3, 1, 2, 0], 1), (Array("GET / HTTP/1.1\r\n".utf8), 1), (Array("POST / HTTP/1.1\r\n".utf8), 2), (Array("PROPFIND / HTTP/1.1\r\n".utf8), 4),
            (Array("PROXY\tTCP4 ".utf8), 6), (Array("proxy TCP4".utf8), 1), (Array("\n".utf8), 1), (Array("\r\nGET /".utf8), 3), ([0], 1),
            (signature.dropLast() + [0x0d], 12),
        ] as [([UInt8], Int)])
    func absent(bytes: [UInt8], from first: Int) {
        for count in 0..<first { #expect(parse(bytes[..<count]) == .incomplete) }
        for count in first...bytes.count { #expect(parse(bytes[..<count]) == .absent) }
    }

    @Test("what is known to be wrong is not waited for")
    func early() {
        func isMalformed(_ bytes: [UInt8]) -> Bool { if case .malformed = parse(bytes) { true } else { false } }
        #expect(isMalformed(signature + [0x31]))
        #expect(isMalformed(signature + [0x21, 0x41]))
        #expect(isMalformed(signature + [0x21, 0x11, 0, 11]))
        #expect(isMalformed(Array("PROXY UNKNOWN ".utf8) + [UInt8](repeating: 0x78, count: 92)))
    }
}
