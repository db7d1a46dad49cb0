// Which frontends `sallyport doctor` dials, and how they answer.

import Daemon
import Linux
import Policy
import Support
import Testing

@Suite("What the doctor dials")
struct FrontendDialTests {
    @Test("single addresses that a local unit's services have are dialled, each once and fifty at most, those of names too")
    func gathering() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        var named = PolicyObject.service("/a/named", at: [], target: [["x=y"]])
        named.tcpService.loadBalancer.hosts = ["lb.example.org"]
        var unresolved = PolicyObject.service("/a/none", at: [], target: [["x=y"]])
        unresolved.tcpService.loadBalancer.hosts = ["lb.example.com"]
        _ = compiler.apply(
            upserts: [
                .unit("/a/client"), .service("/a/many", at: (0..<60).map { "198.51.100.\($0)" }, target: [["x=y"]]),
                .service("/a/block", at: ["192.0.2.1", "192.0.2.0/24"], target: [["x=y"]]), .service("/a/same", at: ["192.0.2.1"], target: [["x=y"]]),
                .service("/other/unseen", at: ["203.0.113.1"], target: [["x=y"]]), named, unresolved,
            ], removes: [])
        let address = try #require(IPAddress("203.0.113.7"))
        compiler.setFrontends(named.key, [Frontend(cidr: CIDR(address), port: 80, host: "lb.example.org")])
        let snapshot = compiler.compile()
        var facts = DoctorFacts()
        let targets = facts.frontendsToDial(snapshot.servicesSeenHere())
        // 192.0.2.1 once, and 49 of the many; those left are 11 of them, the block, and the named one, which comes last.
        #expect(targets.count == 50 && Set(targets.map(\.address)).count == 50)
        #expect(targets.first?.service == "/a/block" && facts.undialled == 13)
        #expect(facts.seenHere == ["/a/block", "/a/many", "/a/named", "/a/none", "/a/same"])
        #expect(snapshot.servicesWithFrontends == ["/a/block", "/a/many", "/a/named", "/a/same", "/other/unseen"])
        var few = DoctorFacts()
        let seen = snapshot.servicesSeenHere().filter { $0.service.name == "named" }
        #expect(few.frontendsToDial(seen).map(\.address.description) == ["203.0.113.7:80"])
    }

    @Test("a listener answers, a closed port refuses, and one that takes nothing is given a second", .enabled(if: geteuid() == 0, "marks need root"))
    func dialling() throws {
        let open = try Loopback(backlog: 16)
        let full = try Loopback(backlog: 0)
        // A queue of none holds one, and further connections are not answered (listen(2)).
        let fillers = try (0..<8).map { _ in try full.connecting() }
        defer { for filler in fillers { close(filler) } }
        let closed = try Loopback(backlog: nil)
        let answers = dial([open.address, closed.address, full.address], mark: 0x0100_0000)
        #expect(answers == [.connected, .refused("Connection refused"), .silent])
    }
}

/// A port of 127.0.0.1, with a listener unless it has no backlog.
private final class Loopback {
    let address: SocketAddress
    private let descriptor: Int32

    init(backlog: Int32?) throws {
        let bound = try syscall("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
        descriptor = bound
        var (raw, length) = SocketAddress(.v4Loopback, 0).raw
        try withUnsafeMutablePointer(to: &raw) { raw in
            try raw.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                try syscall("bind") { bind(bound, raw, length) }
                try syscall("getsockname") { getsockname(bound, raw, &length) }
            }
        }
        address = SocketAddress(raw)
        if let backlog { try syscall("listen") { listen(bound, backlog) } }
    }

    deinit { close(descriptor) }

    /// A connection that may never be made.
    func connecting() throws -> Int32 {
        let client = try syscall("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0) }
        var (raw, length) = address.raw
        _ = withUnsafePointer(to: &raw) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, length) } }
        return client
    }
}
