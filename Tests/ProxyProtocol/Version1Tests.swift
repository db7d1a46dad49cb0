// Version 1: what is taken, and what is refused with which words (proxy-protocol.txt, 2.1).

import Linux
import ProxyProtocol
import Testing

@Suite struct Version1Tests {
    private func expectHeader(_ line: String, _ family: ProxyHeader.Family, _ source: String, _ destination: String) throws {
        var header = ProxyHeader(.v1, source: try socketAddress(source), destination: try socketAddress(destination))
        header.family = family
        #expect(parse(line) == .header(header, length: line.utf8.count))
    }

    @Test("TCP4 and TCP6 lines give their addresses and ports")
    func taken() throws {
        try expectHeader("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", .ipv4, "192.168.0.1:56324", "192.168.0.11:443")
        try expectHeader("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", .ipv4, "0.0.0.0:0", "255.255.255.255:65535")
        try expectHeader("PROXY TCP6 2001:DB8::1 2001:db8:0:0:0:0:0:2 1 80\r\n", .ipv6, "[2001:db8::1]:1", "[2001:db8::2]:80")
        try expectHeader("PROXY TCP6 :: ::1 1 2\r\n", .ipv6, "[::]:1", "[::1]:2")
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        try expectHeader("PROXY TCP6 \(full) \(full) 65535 65535\r\n", .ipv6, "[\(full)]:65535", "[\(full)]:65535")
    }

    @Test("what haproxy 2.6 sends from a dual-stack listener for an IPv4 client is that IPv4 client")
    func mapped() throws {
        try expectHeader("PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 44806 28445\r\n", .ipv6, "127.0.0.1:44806", "127.0.0.1:28445")
    }

    @Test(
        "UNKNOWN is taken with anything behind it, up to 107 bytes",
        arguments: ["", " ", " ff:: 1.2.3 99999 x", " \u{1}\0é", " " + String(repeating: "x", count: 91)])
    func unknown(rest: String) {
        let line = "PROXY UNKNOWN\(rest)\r\n"
        #expect(parse(line) == .header(ProxyHeader(.v1, .proxy), length: line.utf8.count))
        #expect(ProxyHeader(.v1, .proxy).source == nil)
    }

    static let malformed: [Example] = [
        Example("LF without CR", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", "at byte 30 there is LF without CR: a version 1 header must end with CR LF"),
        Example("UNKNOWN and LF without CR", "PROXY UNKNOWN\n", "at byte 13 there is LF without CR: a version 1 header must end with CR LF"),
        Example("CR without LF", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rG", "at byte 31 there is 0x47 behind CR: a version 1 header must end with CR LF"),
        Example("CR without LF in UNKNOWN", "PROXY UNKNOWN \r x\r\n", "at byte 15 there is 0x20 behind CR: a version 1 header must end with CR LF"),
        Example(
            "a line of 108 bytes", "PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n",
            "at byte 105 the line has no end in sight: a version 1 header has at most 107 bytes, CR LF included"),
        Example("UDP", "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "at byte 6 the protocol is \"UDP4\": it must be TCP4, TCP6 or UNKNOWN"),
        Example("lower case", "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n", "at byte 6 the protocol is \"tcp4\": it must be TCP4, TCP6 or UNKNOWN"),
        Example("UNKNOWN with a tail", "PROXY UNKNOWNS\r\n", "at byte 6 the protocol is \"UNKNOWNS\": it must be TCP4, TCP6 or UNKNOWN"),
        Example("no protocol", "PROXY \r\n", "at byte 6 the protocol is \"\": it must be TCP4, TCP6 or UNKNOWN"),
        Example("two spaces before the protocol", "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "at byte 6 the protocol is \"\": it must be TCP4, TCP6 or UNKNOWN"),
        Example("a tab", "PROXY TCP4\t1.2.3.4 5.6.7.8 1 2\r\n", "at byte 6 the protocol is \"TCP4\\x091.2.3.4\": it must be TCP4, TCP6 or UNKNOWN"),
        Example(
            "two spaces before an address", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
            "at byte 11 the source address is missing: it must follow one single space"),
        Example(
            "two spaces before a port", "PROXY TCP4 1.2.3.4 5.6.7.8 1  2\r\n",
            "at byte 29 the destination port is missing: it must follow one single space"),
        Example(
            "leading zeros in an address", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
            "at byte 11 the source address is \"01.2.3.4\": TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros"),
        Example(
            "octal zeros", "PROXY TCP4 1.2.3.4 5.6.7.00 1 2\r\n",
            "at byte 19 the destination address is \"5.6.7.00\": TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros"),
        Example(
            "256 in an address", "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
            "at byte 11 the source address is \"1.2.3.256\": TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros"),
        Example(
            "three numbers", "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
            "at byte 11 the source address is \"1.2.3\": TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros"),
        Example(
            "IPv6 in TCP4", "PROXY TCP4 ::1 ::1 1 2\r\n",
            "at byte 11 the source address is \"::1\": TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros"),
        Example(
            "IPv4 in TCP6", "PROXY TCP6 ::1 1.2.3.4 1 2\r\n",
            "at byte 15 the destination address is \"1.2.3.4\": TCP6 needs an IPv6 address as RFC 4291 writes it"),
        Example(
            "a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
            "at byte 11 the source address is \"fe80::1%eth0\": TCP6 needs an IPv6 address as RFC 4291 writes it"),
        Example(
            "two double colons", "PROXY TCP6 1::2::3 ::1 1 2\r\n",
            "at byte 11 the source address is \"1::2::3\": TCP6 needs an IPv6 address as RFC 4291 writes it"),
        Example(
            "a zero byte behind an address", "PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n",
            "at byte 11 the source address is \"1.2.3.4\\x00\": TCP4 needs four numbers from 0 to 255 with dots between and no leading zeros"),
        Example(
            "an address of 60 digits", "PROXY TCP6 \(String(repeating: "1", count: 60)) ::1 1 2\r\n",
            "at byte 11 the source address is \"\(String(repeating: "1", count: 48))\"…: TCP6 needs an IPv6 address as RFC 4291 writes it"),
        Example(
            "port 65536", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
            "at byte 27 the source port is \"65536\": a port is 0 to 65535, without leading zeros"),
        Example(
            "leading zeros in a port", "PROXY TCP4 1.2.3.4 5.6.7.8 1 080\r\n",
            "at byte 29 the destination port is \"080\": a port is 0 to 65535, without leading zeros"),
        Example(
            "port 00", "PROXY TCP4 1.2.3.4 5.6.7.8 00 80\r\n", "at byte 27 the source port is \"00\": a port is 0 to 65535, without leading zeros"),
        Example(
            "a sign", "PROXY TCP4 1.2.3.4 5.6.7.8 +1 80\r\n", "at byte 27 the source port is \"+1\": a port is 0 to 65535, without leading zeros"),
        Example(
            "a port of twenty digits", "PROXY TCP4 1.2.3.4 5.6.7.8 99999999999999999999 80\r\n",
            "at byte 27 the source port is \"99999999999999999999\": a port is 0 to 65535, without leading zeros"),
        Example("no addresses", "PROXY TCP4\r\n", "at byte 10 the line ends: the source address is missing"),
        Example("no ports", "PROXY TCP4 1.2.3.4 5.6.7.8\r\n", "at byte 26 the line ends: the source port is missing"),
        Example("no destination port", "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "at byte 28 the line ends: the destination port is missing"),
        Example("a space and no destination port", "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n", "at byte 29 the destination port is missing: it must follow one single space"),
        Example(
            "a space at the end", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
            "at byte 31 there is more behind the destination port: the line must end there, with CR LF"),
        Example(
            "a sixth word", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
            "at byte 31 there is more behind the destination port: the line must end there, with CR LF"),
    ]

    @Test("a malformed line is refused with the byte, the flaw and what would be right", arguments: malformed)
    func refused(example: Example) { #expect(parse(example.bytes) == .malformed(example.sentence)) }
}
