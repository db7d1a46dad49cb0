// What is written can be read, by this parser and by others (the differential test).

import Linux
import ProxyProtocol
import Support
import Testing

/// Headers of every kind that can be written, at random.
struct HeaderMaker {
    var random: SplitMix64

    private mutating func bytes(_ most: Int) -> [UInt8] { (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) } }

    private mutating func text(_ most: Int) -> String {
        String((0..<Int.random(in: 0...most, using: &random)).map { _ in "abcdefghijklmnop0123456789.-_".randomElement(using: &random) ?? "x" })
    }

    private mutating func sometimes<Value>(_ value: (inout HeaderMaker) -> Value) -> Value? { Bool.random(using: &random) ? value(&self) : nil }

    private mutating func address() -> SocketAddress {
        let isV4 = Bool.random(using: &random)
        var bytes = (0..<(isV4 ? 4 : 16)).map { _ in Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : 0 }
        // Else it could be an IPv4 address.
        if !isV4 { bytes[0] = 0x20 }
        return SocketAddress(IPAddress(bytes: bytes) ?? .v6Loopback, UInt16.random(in: 0...65535, using: &random))
    }

    private mutating func others(_ types: [UInt8]) -> [ProxyTLV] {
        (0..<Int.random(in: 0...3, using: &random)).map { _ in ProxyTLV(type: types.randomElement(using: &random) ?? 0, value: bytes(40)) }
    }

    private mutating func ssl() -> ProxySSL {
        var ssl = ProxySSL(client: ProxySSL.Client(rawValue: UInt8.random(in: 0...255, using: &random)), verify: UInt32.random(in: 0...9, using: &random))
        ssl.version = sometimes { $0.text(10) }
        ssl.commonName = sometimes { $0.text(20) + "é" }
        ssl.cipher = sometimes { $0.text(30) }
        ssl.signatureAlgorithm = sometimes { $0.text(10) }
        ssl.keyAlgorithm = sometimes { $0.text(10) }
        ssl.group = sometimes { $0.text(10) }
        ssl.signatureScheme = sometimes { $0.text(10) }
        ssl.others = others([0x28, 0x29, 0])
        return ssl
    }

    mutating func header() -> ProxyHeader {
        let version: ProxyHeader.Version = Int.random(in: 0...3, using: &random) == 0 ? .v1 : .v2
        var header: ProxyHeader
        switch Int.random(in: 0...9, using: &random) {
        case 0:
            header = ProxyHeader(version, version == .v1 ? .proxy : .local)
            header.hasChecksum = version == .v2 && Bool.random(using: &random)
            return header
        case 1: header = ProxyHeader(version, .proxy)
        case 2 where version == .v2:
            // A zero at a path's end would be one of those that fill its field.
            let paths = [bytes(107) + [0x61], []].shuffled(using: &random)
            header = ProxyHeader(unixPaths: ProxyHeader.UnixPaths(source: paths[0], destination: paths[1]))
        default: header = ProxyHeader(version, source: address(), destination: address())
        }
        if version == .v1 { return header }
        header.hasChecksum = Bool.random(using: &random)
        header.tlvs.alpn = sometimes { $0.bytes(20) }
        header.tlvs.authority = sometimes { $0.text(60) + "é" }
        header.tlvs.uniqueID = sometimes { $0.bytes(128) }
        header.tlvs.ssl = sometimes { $0.ssl() }
        header.tlvs.networkNamespace = sometimes { $0.text(20) }
        header.tlvs.vpcEndpointID = sometimes { maker in "vpce-\(UInt64.random(in: 0...(.max), using: &maker.random))" }
        header.tlvs.others = others([0, 6, 0x21, 0x99, ProxyTLV.spiffeID, 0xff])
        return header
    }
}

@Suite struct EncodingTests {
    @Test("what is written is read as the same header, whatever follows", arguments: 0..<8 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var maker = HeaderMaker(random: SplitMix64(seed: seed))
        for _ in 0..<500 {
            let header = maker.header()
            let bytes = try #require(header.encode())
            #expect(parse(bytes) == .header(header, length: bytes.count))
            #expect(parse(bytes + bytes) == .header(header, length: bytes.count))
        }
    }

    @Test("version 1 writes the lines of the specification")
    func lines() throws {
        func line(_ source: String, _ destination: String) throws -> String {
            let header = ProxyHeader(.v1, source: try socketAddress(source), destination: try socketAddress(destination))
            return String(decoding: try #require(header.encode()), as: UTF8.self)
        }
        #expect(try line("192.168.0.1:56324", "192.168.0.11:443") == "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n")
        #expect(try line("[2001:db8::1]:0", "[::1]:65535") == "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n")
        #expect(try line("192.0.2.1:1", "[2001:db8::1]:2") == "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n")
        for header in [ProxyHeader(.v1, .proxy), ProxyHeader(.v1, .local)] { #expect(header.encode() == Array("PROXY UNKNOWN\r\n".utf8)) }
    }

    @Test("version 2 carries the client's SPIFFE ID in a type of the range for applications, under a checksum")
    func spiffeID() throws {
        var header = ProxyHeader(.v2, source: try socketAddress("192.0.2.1:1025"), destination: try socketAddress("198.51.100.2:443"))
        header.tlvs.others = [ProxyTLV(type: ProxyTLV.spiffeID, value: Array("spiffe://a/b".utf8))]
        #expect(header.encode() == version2(0x21, 0x11, ends4, tlv(0xe0, "spiffe://a/b")))
        header.hasChecksum = true
        #expect(header.encode() == version2(0x21, 0x11, ends4, tlv(3, [0xcf, 0x24, 0x98, 0x98]), tlv(0xe0, "spiffe://a/b")))
    }

    @Test("a header that nobody would take is not written")
    func tooLong() throws {
        var header = ProxyHeader(.v2, source: try socketAddress("192.0.2.1:1025"), destination: try socketAddress("198.51.100.2:443"))
        for (count, fits) in [(ProxyHeader.version2Limit - 31, true), (ProxyHeader.version2Limit - 30, false), (65536, false), (65535 + 100, false)] {
            header.tlvs.others = [ProxyTLV(type: 0xe1, value: [UInt8](repeating: 1, count: count))]
            #expect((header.encode() != nil) == fits, "\(count)")
        }
        let path = [UInt8](repeating: 0x61, count: 109)
        #expect(ProxyHeader(unixPaths: ProxyHeader.UnixPaths(source: path, destination: [])).encode() == nil)
    }
}
