// The names of addresses, asked of a real name server through the C library.

import Linux
import PluginKit
import Support
import Testing

@Suite("Names of addresses", .timeLimit(.minutes(1)))
struct AddressNamesTests {
    private typealias Record = LoopbackNameServer.Record

    private let server: LoopbackNameServer
    private let noHosts = HostsFile(path: "/nonexistent")
    private let client = IPAddress(v4: 0xc000_0201)
    private let reverse = "1.2.0.192.in-addr.arpa"

    init() throws { server = try LoopbackNameServer() }

    private func names(of address: IPAddress? = nil) async -> AddressNames {
        await SystemResolver(nameserver: server.address, hosts: noHosts).names(address ?? client)
    }

    private func pointer(_ name: String, _ ttl: UInt32 = 300) -> Record { Record(name: reverse, type: 12, ttl: ttl, data: encode(name)) }

    @Test("reverse names are those of RFC 1035 and RFC 3596")
    func reverseNames() throws {
        #expect(client.reverseName == reverse)
        #expect(try #require(IPAddress("2001:db8::567:89ab")).reverseName
            == "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa")
    }

    @Test("a name that has the address in turn is confirmed, in lower case, for the least of the TTLs")
    func confirmed() async {
        server.set(reverse, 12, .records([.alias(reverse, 200, to: "1.sub.192.in-addr.arpa"), pointer("Host.Partner.EXAMPLE")]))
        server.set("host.partner.example", 1, .records([.a("host.partner.example", 100, "192.0.2.7"), .a("host.partner.example", 100, "192.0.2.1")]))
        var expected = AddressNames()
        expected.names = ["host.partner.example"]
        expected.ttl = 100
        #expect(await names() == expected)
        server.set(reverse, 12, .records([pointer("host.partner.example", 50)]))
        expected.ttl = 50
        #expect(await names() == expected)
    }

    @Test("addresses of IPv6 are confirmed by AAAA")
    func v6() async throws {
        let address = try #require(IPAddress("2001:db8::1"))
        server.set(address.reverseName, 12, .records([Record(name: address.reverseName, type: 12, ttl: 300, data: encode("six.partner.example"))]))
        server.set("six.partner.example", 28, .records([.a("six.partner.example", 60, "2001:db8::1")]))
        #expect(await names(of: address).names == ["six.partner.example"])
    }

    @Test("a name that does not have the address is not believed, nor one that does not exist; that is an answer")
    func notConfirmed() async {
        server.set(reverse, 12, .records([pointer("liar.partner.example"), pointer("gone.partner.example")]))
        server.set("liar.partner.example", 1, .records([.a("liar.partner.example", 100, "192.0.2.2")]))
        server.set("gone.partner.example", 1, .failure(3))
        let found = await names()
        #expect(found.names.isEmpty && found.problem.isEmpty && found.ttl == 100)
    }

    @Test("an address without a name is an answer; a name server that fails, here or there, is told apart")
    func failures() async {
        server.set(reverse, 12, .failure(3))
        #expect(await names() == AddressNames())
        server.set(reverse, 12, .failure(2))
        #expect(await names().problem == "no name server gave an answer")
        server.set(reverse, 12, .records([pointer("sick.partner.example"), pointer("host.partner.example")]))
        server.set("sick.partner.example", 1, .failure(2))
        server.set("host.partner.example", 1, .records([.a("host.partner.example", 100, "192.0.2.1")]))
        let found = await names()
        #expect(found.names == ["host.partner.example"] && found.problem == "sick.partner.example: no name server gave an answer")
    }

    @Test("eight of the names that an address claims are looked at, and that there are more is told")
    func many() async {
        server.set(reverse, 12, .records((0..<12).map { pointer("h\($0).partner.example") }))
        for number in 0..<12 { server.set("h\(number).partner.example", 1, .records([.a("h\(number).partner.example", 100, "192.0.2.1")])) }
        let found = await names()
        #expect(found.names == (0..<8).map { "h\($0).partner.example" } && found.problem == "it has more than 8 names")
    }

    /// A record's data, and what is said to be wrong with them.
    private static let misfits: [([UInt8], String)] = [
        // A dot inside a label would make it one below partner.example.
        ([3, 0x78, 0x2e, 0x79, 0], ""), ([4, 0x61, 0x20, 0x62, 0x0a, 0], ""), ([0], ""), ([1, 0xff, 0], ""),
        ([5, 0x61, 0], "malformed"), ([1, 0x61], "malformed"), ([], "malformed"), ([1, 0x61, 0, 0], "malformed"), ([0xc0], "malformed"),
        ([0x41, 0x61, 0], "malformed"), ([0xff, 0xff], "malformed"),
        // 257 bytes.
        ([[UInt8]](repeating: [63] + [UInt8](repeating: 0x61, count: 63), count: 4).flatMap { $0 } + [0], "malformed"),
    ]

    @Test("answers that are malformed, of another type, or no name of a host, give no name", arguments: misfits)
    func malformed(data: [UInt8], problem: String) async {
        server.set(reverse, 12, .records([Record(name: reverse, type: 12, ttl: 300, data: data)]))
        let found = await names()
        #expect(found.names.isEmpty && (problem.isEmpty ? found.problem.isEmpty : found.problem.contains(problem)), "\(found)")
        server.set(reverse, 12, .records([Record(name: reverse, type: 16, ttl: 300, data: encode("host.partner.example"))]))
        #expect(await names().names.isEmpty)
    }

    @Test("a name in the hosts file needs no confirmation, and comes before DNS")
    func hostsFile() async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("hosts", "192.0.2.1 Host.Partner.example host # other.example\n\n192.0.2.2 second\n192.0.2.1 host third\n")
        server.set(reverse, 12, .records([pointer("dns.partner.example")]))
        let found = await SystemResolver(nameserver: server.address, hosts: HostsFile(path: path)).names(client)
        #expect(found.names == ["host.partner.example", "host", "third"] && found.ttl == 30 && found.problem.isEmpty)
    }
}

@Suite struct PointerAnswerTests {
    /// A question for "a.b", and a PTR record whose data are `name`; the name of the question begins at byte 12.
    private func message(_ name: [UInt8]) -> [UInt8] {
        let parts: [[UInt8]] = [
            [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], [1, 0x61, 1, 0x62, 0, 0, 12, 0, 1],
            [0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 90, 0, UInt8(name.count)], name,
        ]
        return Array(parts.joined())
    }

    @Test("a name is read through pointers that lead back")
    func compressed() {
        #expect(DNSAnswer(message([1, 0x63, 0xc0, 12]))?.names == ["c.a.b"])
        #expect(DNSAnswer(message([0xc0, 14]))?.names == ["b"])
        #expect(DNSAnswer(message([0xc0, 16]))?.names == [])
        #expect(DNSAnswer(message([0xc0, 12]))?.ttl == 90)
    }

    @Test("pointers in a loop, forward, to themselves or out of the message are malformed")
    func loops() {
        // The record's data begin at byte 33.
        for name: [UInt8] in [[0xc0, 33], [1, 0x63, 0xc0, 33], [0xc0, 35], [0xc0, 34, 0], [0xff, 0xff], [0xc0], [1, 0x63, 0xc0, 35, 0xc0, 33]] {
            #expect(DNSAnswer(message(name)) == nil, "\(name)")
        }
        // Two that lead to each other: the question's own name points into the record.
        var looped = message([0xc0, 12])
        looped[14] = 0xc0
        looped[15] = 33
        #expect(DNSAnswer(looped)?.names.isEmpty ?? true)
    }

    @Test("a message cut at any byte, or with a byte that lies, is no answer or gives names that a host can have")
    func damaged() {
        let whole = message([1, 0x63, 0xc0, 12])
        for length in 0..<whole.count { #expect(DNSAnswer(Array(whole[..<length])) == nil, "cut to \(length)") }
        for index in whole.indices {
            for value in UInt8.min...UInt8.max {
                var changed = whole
                changed[index] = value
                for name in DNSAnswer(changed)?.names ?? [] {
                    #expect(name.utf8.count <= 253 && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }, "\(name)")
                }
            }
        }
    }
}
