// A connection's first bytes: told apart however they were cut.

import DataPath
import TLSBoringSSL
import TLSEngine
import Testing

/// A real ClientHello, in one record.
private func clientHello(protocolName: String?) throws -> [UInt8] {
    let wire = TLSWire.make()
    let context = try BoringContext(TLSOptions(role: .client, applicationProtocols: protocolName.map { [$0] } ?? [], verification: .none))
    let session = try #require(context.open(on: wire, binding: [], ticket: nil))
    defer { context.free(session) }
    #expect(context.handshake(session, wire) == .needsInput)
    return Array(UnsafeBufferPointer(start: wire.pointee.output, count: wire.pointee.outputCount))
}

private func look(_ bytes: [UInt8]) -> FirstBytes { bytes.withUnsafeBufferPointer(ClientHello.look) }

/// The same handshake message in records of `size` bytes.
private func fragmented(_ hello: [UInt8], _ size: Int) -> [UInt8] {
    var out: [UInt8] = []
    var body = hello.dropFirst(5)
    while !body.isEmpty {
        let piece = body.prefix(size)
        out += [22, 3, 1, UInt8(piece.count >> 8), UInt8(piece.count & 255)] + piece
        body = body.dropFirst(size)
    }
    return out
}

@Suite struct ClientHelloTests {
    @Test("an enforcer's ClientHello is known by its ALPN, and any other client's is not taken for one")
    func protocols() throws {
        let ours = try clientHello(protocolName: "sallyport/1")
        #expect(look(ours) == .clientHello(length: ours.count, offersEnforcerProtocol: true))
        for name in ["h2", "sallyport/10", "sallyport/", nil] {
            let other = try clientHello(protocolName: name)
            #expect(look(other) == .clientHello(length: other.count, offersEnforcerProtocol: false))
        }
    }

    @Test("a ClientHello cut at any byte is incomplete, never something else")
    func truncated() throws {
        let hello = try clientHello(protocolName: "sallyport/1")
        for count in 0..<hello.count { #expect(look(Array(hello[..<count])) == .incomplete) }
    }

    @Test("a ClientHello in several records is the same ClientHello", arguments: [1, 7, 64, 200])
    func records(size: Int) throws {
        let split = fragmented(try clientHello(protocolName: "sallyport/1"), size)
        #expect(look(split) == .clientHello(length: split.count, offersEnforcerProtocol: true))
        for count in 0..<split.count { #expect(look(Array(split[..<count])) == .incomplete) }
    }

    @Test("bytes behind a ClientHello are not counted to it")
    func followed() throws {
        let hello = try clientHello(protocolName: nil)
        #expect(look(hello + [23, 3, 3, 0, 1, 0]) == .clientHello(length: hello.count, offersEnforcerProtocol: false))
    }

    @Test(
        "what is not TLS is told from its first bytes",
        arguments: [Array("GET / HTTP/1.1\r\n\r\n".utf8), [0], [0x80, 0x2e, 1], Array("\u{16}plain".utf8), Array("SSH-2.0-x\r\n".utf8)])
    func others(bytes: [UInt8]) {
        #expect(look(bytes) == .notTLS)
    }

    @Test("a ClientHello whose lengths lie is malformed, at every length field")
    func lies() throws {
        let hello = try clientHello(protocolName: "sallyport/1")
        var malformed = 0
        for index in 5..<hello.count {
            for change: UInt8 in [1, 0x7f, 0xff] {
                var bytes = hello
                bytes[index] ^= change
                // Whatever it says, it must be one of these, and must not read past the end.
                switch look(bytes) {
                case .malformed: malformed += 1
                case .incomplete, .notTLS: break
                case .clientHello(let length, _): #expect(length == bytes.count)
                }
            }
        }
        #expect(malformed > 20)
    }

    @Test("a ClientHello past the limit is refused before it is held")
    func oversize() {
        var bytes: [UInt8] = [22, 3, 1, 0x40, 0, 1, 1, 0, 0]  // says 65,536 bytes
        bytes += [UInt8](repeating: 0, count: 16384 - 4)
        #expect(look(bytes) == .malformed)
    }
}
