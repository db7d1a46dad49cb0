import Linux
import Testing

struct AddressTextTests {
    @Test(
        "an IPv4 address is written as inet_ntop writes it",
        arguments: [0, 9, 10, 99, 100, 255, 0x0a00_0001, 0x0909_0a0a, 0x6463_0a09, 0x7f00_0001, 0xc000_0201, 0xffff_ffff] as [UInt32])
    func v4(_ number: UInt32) {
        var raw = in_addr(s_addr: number.bigEndian)
        var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        inet_ntop(AF_INET, &raw, &text, socklen_t(text.count))
        #expect(IPAddress(v4: number).description == text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
    }

    @Test("an IPv6 address is written in its short form", arguments: ["::", "::1", "2001:db8::1", "fe80::a:b:c:d", "1:2:3:4:5:6:7:8"])
    func v6(_ text: String) throws {
        #expect(try #require(IPAddress(text)).description == text)
    }

    @Test("an address of another host is one that the host itself, a group or a link has not")
    func ofAnotherHost() throws {
        for text in ["10.0.0.1", "223.255.255.255", "169.254.1.1", "2001:db8::1", "fd00::1", "fec0::1", "::2"] {
            #expect(try #require(IPAddress(text)).isOfAnotherHost, "\(text)")
        }
        for text in ["0.0.0.0", "127.0.0.1", "127.255.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1", "fe80::1", "febf::1"] {
            #expect(try !#require(IPAddress(text)).isOfAnotherHost, "\(text)")
        }
    }

    @Test("the longest IPv6 address is written whole")
    func longest() {
        #expect(IPAddress(high: ~0, low: ~0).description == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    }
}
