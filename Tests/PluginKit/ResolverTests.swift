// Names asked of a real name server through the C library.

import Linux
import PluginKit
import Support
import Testing

@Suite("Resolving names", .timeLimit(.minutes(1)))
struct ResolverTests {
    private func addresses(_ texts: String...) -> [IPAddress] { texts.map { IPAddress($0)! } }  // literals
    private let noHosts = HostsFile(path: "/nonexistent")

    @Test("addresses of both families come with their TTL", arguments: [IPAddress.v4Loopback, .v6Loopback])
    func bothFamilies(loopback: IPAddress) async throws {
        let server = try LoopbackNameServer(on: loopback)
        server.set("web.example.com", 1, .records([.a("web.example.com", 300, "192.0.2.1"), .a("web.example.com", 200, "192.0.2.2")]))
        server.set("web.example.com", 28, .records([.a("web.example.com", 60, "2001:db8::1")]))
        let answer = await SystemResolver(nameserver: server.address, hosts: noHosts).resolve("web.example.com")
        #expect(answer.v4 == .addresses(addresses("192.0.2.1", "192.0.2.2"), ttl: 200))
        #expect(answer.v6 == .addresses(addresses("2001:db8::1"), ttl: 60))
    }

    @Test("an alias that lives shorter than the address it leads to sets the TTL")
    func alias() async throws {
        let server = try LoopbackNameServer()
        server.set("web.example.com", 1, .records([.alias("web.example.com", 5, to: "lb.example.net"), .a("lb.example.net", 600, "192.0.2.1")]))
        let answer = await SystemResolver(nameserver: server.address, hosts: noHosts).resolve("web.example.com")
        #expect(answer.v4 == .addresses(addresses("192.0.2.1"), ttl: 5))
        #expect(answer.v6 == .none(.noRecord))
    }

    @Test("a name that does not exist, one without records, and a server that fails are told apart")
    func failures() async throws {
        let server = try LoopbackNameServer()
        for type: UInt16 in [1, 28] {
            server.set("gone.example.com", type, .failure(3))
            server.set("sick.example.com", type, .failure(2))
            server.set("odd.example.com", type, .garbage([1, 2, 3]))
        }
        let resolve = SystemResolver(nameserver: server.address, hosts: noHosts).resolve
        #expect(await resolve("gone.example.com") == NameAnswer(v4: .none(.noSuchName), v6: .none(.noSuchName)))
        #expect(await resolve("empty.example.com") == NameAnswer(v4: .none(.noRecord), v6: .none(.noRecord)))
        #expect(await resolve("sick.example.com").v4 == .failed("no name server gave an answer"))
        guard case .failed = await resolve("odd.example.com").v4 else {
            Issue.record("a malformed answer was believed")
            return
        }
    }

    @Test("an answer too long for UDP is asked for again over TCP")
    func truncated() async throws {
        let server = try LoopbackNameServer()
        let many = (1...200).map { LoopbackNameServer.Record.a("web.example.com", 30, "192.0.2.\($0)") }
        server.set("web.example.com", 1, .truncated(many))
        let answer = await SystemResolver(nameserver: server.address, hosts: noHosts).resolve("web.example.com")
        guard case .addresses(let found, ttl: 30) = answer.v4 else {
            Issue.record("\(answer)")
            return
        }
        #expect(found.count == 200)
    }

    @Test("no name server there is a failure, not an empty answer")
    func nobody() async throws {
        let address = try LoopbackNameServer().address
        #expect(await SystemResolver(nameserver: address, hosts: noHosts).resolve("web.example.com").v4 == .failed("no name server gave an answer"))
    }

    @Test("a name in the hosts file is not asked for, and holds for 30 s")
    func hostsFile() async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("hosts", "127.0.0.1 localhost # web.example.com\n192.0.2.7\tother WEB.example.com\n2001:db8::7 web.example.com\n\nbad web.example.com\n")
        let server = try LoopbackNameServer()
        server.set("web.example.com", 1, .records([.a("web.example.com", 300, "192.0.2.1")]))
        server.set("dns.example.com", 1, .records([.a("dns.example.com", 300, "192.0.2.2")]))
        let resolve = SystemResolver(nameserver: server.address, hosts: HostsFile(path: path)).resolve
        #expect(await resolve("web.example.com") == NameAnswer(
            v4: .addresses(addresses("192.0.2.7"), ttl: 30), v6: .addresses(addresses("2001:db8::7"), ttl: 30)))
        #expect(await resolve("other") == NameAnswer(v4: .addresses(addresses("192.0.2.7"), ttl: 30), v6: .none(.noRecord)))
        #expect(await resolve("dns.example.com").v4 == .addresses(addresses("192.0.2.2"), ttl: 300))
    }
}

@Suite struct DNSAnswerTests {
    /// One question, an alias by a compressed name, an address of each family, one record of another type and one of another class.
    private let message: [UInt8] = {
        let parts: [[UInt8]] = [
            [0, 1, 0x81, 0x80, 0, 1, 0, 5, 0, 0, 0, 0],
            [1, 0x61, 0, 0, 1, 0, 1],
            [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 90, 0, 3, 1, 0x62, 0],
            [1, 0x62, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 1],
            [0xc0, 12, 0, 28, 0, 1, 0, 0, 1, 0, 0, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            [0, 0, 46, 0, 1, 0, 0, 0, 1, 0, 2, 1, 1],
            [0, 0, 1, 0, 3, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4],
        ]
        return Array(parts.joined())
    }()

    @Test("addresses and the least TTL of what leads to them are read, and nothing else")
    func whole() throws {
        let answer = try #require(DNSAnswer(message))
        #expect(answer.addresses.map(\.description) == ["192.0.2.1", "2001:db8::1"])
        #expect(answer.ttl == 90)
    }

    @Test("a message cut at any byte, or with a length that lies, is no answer and does no harm")
    func malformed() {
        for length in 0..<message.count { #expect(DNSAnswer(Array(message[..<length])) == nil, "cut to \(length)") }
        for index in message.indices {
            for value: UInt8 in [0, 0x3f, 0x40, 0x80, 0xc0, 0xff] {
                var changed = message
                changed[index] = value
                if let answer = DNSAnswer(changed) { #expect(answer.addresses.count <= 5) }
            }
        }
    }

    @Test("a TTL with its highest bit set is zero")
    func hugeTTL() throws {
        var changed = message
        changed[25] = 0x80
        #expect(try #require(DNSAnswer(changed)).ttl == 0)
    }
}
