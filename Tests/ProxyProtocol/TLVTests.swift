// The fields of version 2: what is kept, what is refused, and headers that real load balancers sent.

import Linux
import ProxyProtocol
import Testing

@Suite struct TLVTests {
    private func tlvs(_ fields: [UInt8]...) throws -> ProxyTLVs {
        let bytes = version2(0x21, 0x11, ends4, Array(fields.joined()))
        guard case .header(let header, bytes.count) = parse(bytes) else { throw Refused() }
        return header.tlvs
    }

    @Test("each field is kept where it belongs, unknown ones as they came, padding nowhere")
    func kept() throws {
        var wanted = ProxyTLVs()
        wanted.alpn = Array("h2".utf8)
        wanted.authority = "café.example"
        wanted.uniqueID = [UInt8](repeating: 7, count: 128)
        wanted.networkNamespace = "blue"
        wanted.vpcEndpointID = "vpce-1"
        wanted.others = [ProxyTLV(type: 0x99, value: []), ProxyTLV(type: ProxyTLV.spiffeID, value: [1]), ProxyTLV(type: 0x99, value: [2])]
        let fields = [
            tlv(4, [1, 2, 3]), tlv(0x99, []), tlv(1, "h2"), tlv(2, "café.example"), tlv(4, []), tlv(5, [UInt8](repeating: 7, count: 128)),
            tlv(0x30, "blue"), tlv(0xea, "\u{1}vpce-1"), tlv(0xe0, [1]), tlv(0x99, [2]),
        ]
        #expect(try tlvs(Array(fields.joined())) == wanted)
        #expect(try tlvs() == ProxyTLVs())
    }

    @Test("0xEA that is not AWS's endpoint is kept as it came", arguments: [[], [2, 0x61], [1, 0x2a], [1, 0xff]] as [[UInt8]])
    func notAWS(value: [UInt8]) throws {
        let kept = try tlvs(tlv(0xea, value))
        #expect(kept.vpcEndpointID == nil && kept.others == [ProxyTLV(type: 0xea, value: value)])
    }

    @Test("what is said of TLS is kept whole")
    func ssl() throws {
        let names = ["TLSv1.3", "élan", "C", "S", "K", "x25519", "rsa_pss"]
        let inner = names.enumerated().flatMap { tlv(0x21 + UInt8($0.offset), $0.element) } + tlv(0x28, [0x30, 0x82])
        let ssl = try #require(try tlvs(tlv(0x20, [5, 0, 0, 1, 2] + inner)).ssl)
        #expect(ssl.client == [.tls, .certificateInSession] && ssl.verify == 258)
        #expect([ssl.version, ssl.commonName, ssl.cipher, ssl.signatureAlgorithm, ssl.keyAlgorithm, ssl.group, ssl.signatureScheme] == names)
        #expect(ssl.others == [ProxyTLV(type: 0x28, value: [0x30, 0x82])])
        #expect(try tlvs(tlv(0x20, [0, 0, 0, 0, 1])).ssl == ProxySSL(client: [], verify: 1))
    }

    /// As a Network Load Balancer of AWS sends it for a client behind a VPC endpoint; AWS publishes it with its
    /// elastic-load-balancing-tools.
    private let aws = """
        0d0a0d0a000d0a515549540a 21 11 0054 ac1f0771 ac1f0a1f c8f2 0050
        03 0004 e8d6892d
        ea 0017 01 767063652d3038643262663135666163353030316339
        04 0024 000000000000000000000000000000000000000000000000000000000000000000000000
        """

    @Test("the header of an AWS Network Load Balancer gives its VPC endpoint, its checksum verified")
    func awsLoadBalancer() throws {
        var header = ProxyHeader(.v2, source: try socketAddress("172.31.7.113:51442"), destination: try socketAddress("172.31.10.31:80"))
        header.tlvs.vpcEndpointID = "vpce-08d2bf15fac5001c9"
        header.hasChecksum = true
        #expect(try parse(bytes(hex: aws)) == .header(header, length: 100))
    }

    /// Caught from haproxy 2.6.12: send-proxy-v2-ssl-cn, proxy-v2-options cert-key,cert-sig,ssl-cipher,crc32c,authority,unique-id.
    static let haproxy = """
        0d0a0d0a000d0a515549540a 21 11 009a 7f000001 7f000001 8122 6f1b
        03 0004 6c69d978  01 0002 6832  02 000f 7376632e6578616d706c652e636f6d
        05 0016 37463030303030313a383132325f3642303343433144
        20 0054 07 00000000
          21 0007 544c5376312e33  22 0012 636c69656e742e6578616d706c652e636f6d  25 0007 52534132303438
          24 000a 5253412d534841323536  23 0016 544c535f4145535f3235365f47434d5f534841333834
        """

    @Test("haproxy's send-proxy-v2-ssl-cn gives TLS version, cipher and the client's name, its checksum verified")
    func haproxyTLS() throws {
        var header = ProxyHeader(.v2, source: try socketAddress("127.0.0.1:33058"), destination: try socketAddress("127.0.0.1:28443"))
        header.hasChecksum = true
        header.tlvs.alpn = Array("h2".utf8)
        header.tlvs.authority = "svc.example.com"
        header.tlvs.uniqueID = Array("7F000001:8122_6B03CC1D".utf8)
        var ssl = ProxySSL(client: [.tls, .certificateOnConnection, .certificateInSession], verify: 0)
        ssl.version = "TLSv1.3"
        ssl.commonName = "client.example.com"
        ssl.keyAlgorithm = "RSA2048"
        ssl.signatureAlgorithm = "RSA-SHA256"
        ssl.cipher = "TLS_AES_256_GCM_SHA384"
        header.tlvs.ssl = ssl
        #expect(try parse(bytes(hex: TLVTests.haproxy)) == .header(header, length: 170))
    }

    @Test("a checksum guards every bit of the header from its addresses on")
    func flippedBits() throws {
        let whole = try bytes(hex: TLVTests.haproxy)
        for bit in (16 * 8)..<(whole.count * 8) {
            var bytes = whole
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            // The flip may hide the checksum itself; then the header says that it has none.
            if case .header(let header, _) = parse(bytes) { #expect(!header.hasChecksum, "bit \(bit)") }
        }
    }

    private static func header(_ fields: [UInt8]...) -> [UInt8] { version2(0x21, 0x11, ends4, Array(fields.joined())) }

    static let malformed: [Example] = [
        Example("one byte left", header([2]), "at byte 28 a field has 1 bytes left: its type and length alone have 3"),
        Example("two bytes left", header(tlv(2, "a"), [2, 0]), "at byte 32 a field has 2 bytes left: its type and length alone have 3"),
        Example("a length past the end", header([2, 0, 2, 0x61]), "at byte 28 the field of type 0x02 says it has 2 bytes: 1 are left"),
        Example("a length of 65535", header([0x99, 0xff, 0xff]), "at byte 28 the field of type 0x99 says it has 65535 bytes: 0 are left"),
        Example("a wrong checksum", header(tlv(3, [1, 2, 3, 4])), "at byte 31 the checksum is 0x1020304: the CRC-32C of this header is 0xad8ac631"),
        Example("a checksum of 3 bytes", header(tlv(3, [1, 2, 3])), "at byte 28 the checksum has 3 bytes: it must have 4"),
        Example("a checksum of 5 bytes", header(tlv(3, [1, 2, 3, 4, 5])), "at byte 28 the checksum has 5 bytes: it must have 4"),
        Example("a unique ID of 129 bytes", header(tlv(5, [UInt8](repeating: 1, count: 129))), "at byte 28 the unique ID has 129 bytes: it may have 128"),
        Example("an authority that is no text", header(tlv(2, [0x61, 0xff])), "at byte 28 the authority is \"a\\xff\": it must be UTF-8"),
        Example("a namespace that is not ASCII", header(tlv(0x30, "é")), "at byte 28 the network namespace is \"\\xc3\\xa9\": it must be US-ASCII"),
        Example("SSL of 4 bytes", header(tlv(0x20, [1, 0, 0, 0])), "at byte 28 the SSL field has 4 bytes: it must have 5 or more"),
        Example("a field in SSL cut short", header(tlv(0x20, [1, 0, 0, 0, 0, 0x21, 0])), "at byte 36 a field has 2 bytes left: its type and length alone have 3"),
        Example(
            "a field in SSL past its end", header(tlv(0x20, [1, 0, 0, 0, 0, 0x21, 0, 1]), tlv(1, "h2")),
            "at byte 36 the field of type 0x21 says it has 1 bytes: 0 are left"),
        Example("a cipher that is not ASCII", header(tlv(0x20, [1, 0, 0, 0, 0] + tlv(0x23, "é"))), "at byte 36 the cipher is \"\\xc3\\xa9\": it must be US-ASCII"),
        Example("a second ALPN", header(tlv(1, "h2"), tlv(1, "h2")), "at byte 33 the ALPN comes a second time: it may come once"),
        Example("a second authority", header(tlv(2, "a"), tlv(2, "b")), "at byte 32 the authority comes a second time: it may come once"),
        Example("a second checksum", header(tlv(3, [0, 0, 0, 0]), tlv(3, [0, 0, 0, 0])), "at byte 35 the checksum comes a second time: it may come once"),
        Example("a second unique ID", header(tlv(5, "a"), tlv(5, "a")), "at byte 32 the unique ID comes a second time: it may come once"),
        Example(
            "a second SSL field", header(tlv(0x20, [0, 0, 0, 0, 0]), tlv(0x20, [0, 0, 0, 0, 0])), "at byte 36 the SSL field comes a second time: it may come once"),
        Example("a second namespace", header(tlv(0x30, "a"), tlv(0x30, "a")), "at byte 32 the network namespace comes a second time: it may come once"),
        Example(
            "a second VPC endpoint", header(tlv(0xea, "\u{1}a"), tlv(0xea, "\u{1}a")), "at byte 33 the VPC endpoint ID comes a second time: it may come once"),
        Example(
            "a second common name", header(tlv(0x20, [1, 0, 0, 0, 0] + tlv(0x22, "a") + tlv(0x22, "b"))),
            "at byte 40 the common name comes a second time: it may come once"),
    ]

    @Test("a malformed field is refused with its byte, the flaw and what would be right", arguments: malformed)
    func refused(example: Example) { #expect(parse(example.bytes) == .malformed(example.sentence)) }
}
