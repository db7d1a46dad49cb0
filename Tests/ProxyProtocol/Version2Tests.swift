// Version 2: commands, families and lengths, what is taken and what is refused (proxy-protocol.txt, 2.2).

import Linux
import ProxyProtocol
import Testing

@Suite struct Version2Tests {
    private let source6 = (0..<16).map { UInt8($0) }

    @Test("TCP over IPv4 and IPv6 gives addresses and ports")
    func addresses() throws {
        let header4 = ProxyHeader(.v2, source: try socketAddress("192.0.2.1:1025"), destination: try socketAddress("198.51.100.2:443"))
        #expect(parse(version2()) == .header(header4, length: 28))
        #expect(header4.family == .ipv4 && header4.transport == .stream && header4.command == .proxy)
        let ends = source6 + [UInt8](repeating: 0, count: 15) + [1, 0xff, 0xff, 0, 0]
        let header6 = ProxyHeader(.v2, source: try socketAddress("[1:203:405:607:809:a0b:c0d:e0f]:65535"), destination: try socketAddress("[::1]:0"))
        #expect(parse(version2(0x21, 0x21, ends)) == .header(header6, length: 52))
    }

    @Test("an IPv4 client that an IPv6 header names is that IPv4 client")
    func mapped() throws {
        let ends = [UInt8](repeating: 0, count: 10) + [255, 255, 192, 0, 2, 1] + source6 + [4, 1, 1, 187]
        guard case .header(let header, 52) = parse(version2(0x21, 0x21, ends)) else { throw Refused() }
        #expect(header.family == .ipv6 && header.source?.address.isV4 == true)
        #expect(try header.source == socketAddress("192.0.2.1:1025"))
    }

    @Test("a Unix header gives its paths and no address; fields after them are read")
    func unix() {
        let abstract: [UInt8] = [0, 0x61, 0x62]
        let full = [UInt8](repeating: 0x2f, count: 108)
        let block = abstract + [UInt8](repeating: 0, count: 105) + full
        var header = ProxyHeader(unixPaths: ProxyHeader.UnixPaths(source: abstract, destination: full))
        #expect(parse(version2(0x21, 0x31, block)) == .header(header, length: 232))
        #expect(header.source == nil && header.destination == nil)
        header.unixPaths = ProxyHeader.UnixPaths(source: [], destination: [])
        header.tlvs.authority = "a"
        #expect(parse(version2(0x21, 0x31, [UInt8](repeating: 0, count: 216), tlv(2, "a"))) == .header(header, length: 236))
    }

    @Test("LOCAL has no source, with no block, with the addresses of its family, and whatever family it names")
    func local() {
        func header(_ family: ProxyHeader.Family, _ transport: ProxyHeader.Transport) -> ProxyHeader {
            var header = ProxyHeader(.v2, .local)
            header.family = family
            header.transport = transport
            return header
        }
        // As haproxy's check with send-proxy-v2.
        #expect(parse(version2(0x20, 0, [])) == .header(header(.unspecified, .unspecified), length: 16))
        #expect(parse(version2(0x20, 0, [], tlv(2, "a"))) == .header(header(.unspecified, .unspecified), length: 20))
        #expect(parse(version2(0x20, 0x11, [])) == .header(header(.ipv4, .stream), length: 16))
        #expect(parse(version2(0x20, 0x11, ends4)) == .header(header(.ipv4, .stream), length: 28))
        #expect(parse(version2(0x20, 0x12, ends4, tlv(2, "a"))) == .header(header(.ipv4, .datagram), length: 32))
        // Its fields are nobody's, so their text is not judged.
        #expect(parse(version2(0x20, 0, [], tlv(2, [0xff]), tlv(2, []))) == .header(header(.unspecified, .unspecified), length: 23))
        // Families and transports that nobody has defined: their block is skipped unread.
        for family: UInt8 in [0x41, 0xf0, 0x03, 0xff, 0x10] {
            guard case .header(let found, 21) = parse(version2(0x20, family, [1, 2, 3, 4, 5])) else {
                Issue.record("family \(family)")
                continue
            }
            #expect(found.command == .local && found.source == nil)
        }
    }

    @Test("an unspecified family or transport has no source; its fields are read only where they can be found")
    func unspecified() {
        var header = ProxyHeader(.v2, .proxy)
        #expect(parse(version2(0x21, 0, [])) == .header(header, length: 16))
        header.tlvs.authority = "a"
        #expect(parse(version2(0x21, 0, [], tlv(2, "a"))) == .header(header, length: 20))
        header.tlvs.authority = nil
        header.transport = .stream
        #expect(parse(version2(0x21, 0x01, [1, 2, 3])) == .header(header, length: 19))
        header.transport = .unspecified
        header.family = .ipv4
        #expect(parse(version2(0x21, 0x10, ends4)) == .header(header, length: 28))
    }

    static let malformed: [Example] = [
        Example("version 1", version2(0x11), "at byte 12 the version is 1: it must be 2"),
        Example("version 3", version2(0x31), "at byte 12 the version is 3: it must be 2"),
        Example("command 2", version2(0x22), "at byte 12 the command is 2: it must be 0 (LOCAL) or 1 (PROXY)"),
        Example("command 15", version2(0x2f), "at byte 12 the command is 15: it must be 0 (LOCAL) or 1 (PROXY)"),
        Example(
            "family 4", version2(0x21, 0x41), "at byte 13 the address family is 4: it must be 0 (unspecified), 1 (IPv4), 2 (IPv6) or 3 (Unix)"),
        Example("transport 3", version2(0x21, 0x13), "at byte 13 the transport is 3: it must be 0 (unspecified) or 1 (stream)"),
        Example(
            "UDP over IPv4", version2(0x21, 0x12), "at byte 13 the transport is 2, datagram, on a TCP connection: it must be 0 (unspecified) or 1 (stream)"),
        Example(
            "datagrams of Unix", version2(0x21, 0x32),
            "at byte 13 the transport is 2, datagram, on a TCP connection: it must be 0 (unspecified) or 1 (stream)"),
        Example("no room for IPv4", version2(0x21, 0x11, Array(ends4.dropLast())), "at byte 14 the length is 11: the addresses of family 1 alone have 12"),
        Example("length 0", version2(0x21, 0x11, []), "at byte 14 the length is 0: the addresses of family 1 alone have 12"),
        Example("IPv4 called IPv6", version2(0x21, 0x21), "at byte 14 the length is 12: the addresses of family 2 alone have 36"),
        Example(
            "no room for Unix", version2(0x21, 0x31, [UInt8](repeating: 0, count: 215)), "at byte 14 the length is 215: the addresses of family 3 alone have 216"),
        Example("LOCAL with half an address", version2(0x20, 0x11, [1, 2, 3]), "at byte 14 the length is 3: the addresses of family 1 alone have 12"),
        Example(
            "a length past the limit", signature + [0x21, 0x11, 0x0f, 0xf1], "at byte 14 the length is 4081: a header of at most 4096 bytes is taken, so 4080"),
        Example(
            "the longest length", signature + [0x20, 0x00, 0xff, 0xff], "at byte 14 the length is 65535: a header of at most 4096 bytes is taken, so 4080"),
        Example(
            "LOCAL with a wrong checksum", version2(0x20, 0, [], tlv(3, [0, 0, 0, 0])),
            "at byte 19 the checksum is 0x0: the CRC-32C of this header is 0xa9b87e8f"),
        Example("LOCAL with a field past its end", version2(0x20, 0, [2, 0, 1]), "at byte 16 the field of type 0x02 says it has 1 bytes: 0 are left"),
    ]

    @Test("a malformed header is refused with the byte, the flaw and what would be right", arguments: malformed)
    func refused(example: Example) { #expect(parse(example.bytes) == .malformed(example.sentence)) }

    @Test("a header of just the limit is taken")
    func longest() throws {
        let padding = [UInt8](repeating: 0, count: ProxyHeader.version2Limit - 28 - 3)
        guard case .header(_, ProxyHeader.version2Limit) = parse(version2(0x21, 0x11, ends4, tlv(4, padding))) else { throw Refused() }
    }
}

/// A header that should have been taken was not.
struct Refused: Error {}
