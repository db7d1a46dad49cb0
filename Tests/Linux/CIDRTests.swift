import Linux
import Testing

struct CIDRTests {
    @Test(
        "a block holds the addresses of its family that have its prefix, and none of the other family",
        arguments: [
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "2001:db8::1"]),
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::a00:0"]),
            ("192.0.2.1", ["192.0.2.1"], ["192.0.2.0", "192.0.2.2"]),
            ("::/0", ["::", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], ["0.0.0.0", "192.0.2.1"]),
            ("::/64", ["::1", "::fffe:102:304"], ["192.0.2.1", "0:0:0:1::"]),
            ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "10.0.0.1"]),
        ])
    func contains(_ text: String, _ inside: [String], _ outside: [String]) throws {
        let block = try #require(CIDR(text))
        for address in inside { #expect(block.contains(try #require(IPAddress(address))), "\(address)") }
        for address in outside { #expect(!block.contains(try #require(IPAddress(address))), "\(address)") }
    }

    @Test("a block holds the blocks within it, and none of the other family")
    func blocks() throws {
        let (all4, all6) = (try #require(CIDR("0.0.0.0/0")), try #require(CIDR("::/0")))
        let (ten, documentation) = (try #require(CIDR("10.0.0.0/8")), try #require(CIDR("2001:db8::/32")))
        #expect(all4.contains(ten) && all6.contains(documentation) && ten.contains(ten))
        #expect(!all6.contains(ten) && !all4.contains(documentation) && !all6.contains(all4) && !all4.contains(all6) && !ten.contains(all4))
    }
}
