// Which servers a service has, by what HAProxy tells and the settings add.

import Linux
import LoadBalancerHAProxy
import SallyportProtocol
import Support
import Testing

@Suite("Services in HAProxy")
struct ServiceMatchTests {
    private func look(_ name: String = "web", port: UInt32, at addresses: [String] = [], _ match: ServiceMatch = .init()) throws -> (names: [String], problem: String) {
        let inside = match.inside(
            try Captured.snapshot(), of: .with { $0.kind = .tcpService; $0.namespace = "/acme"; $0.name = name }, .with { $0.port = port },
            at: addresses.compactMap { IPAddress($0) }.map { address in
                .with { $0.address = .init(address.bytes); $0.prefixLength = address.isV4 ? 32 : 128 }
            })
        return (inside.backends.map(\.name), inside.problem)
    }

    @Test("a section listen is found by its port, and has servers of its own")
    func listen() throws {
        let (names, problem) = try look(port: 18003)
        #expect(names == ["both/s1", "both/s2"] && problem == "")
    }

    @Test("a frontend is found by its port with and without socket-stats, and its backend must be set", arguments: [(18001, "shop"), (18005, "plain")])
    func frontend(port: UInt32, name: String) throws {
        let (none, problem) = try look(port: port)
        #expect(none == [])
        #expect(problem == "HAProxy does not tell which backend its frontend \(name) has: set backends.\(name) to one of both, web, or `configuration` to HAProxy's file")
        let (names, nothing) = try look(port: port, .init(backends: [name: "web"]))
        #expect(names.count == 7 && nothing == "")
    }

    @Test("a backend of a frontend's name is taken for its own only if both are one section")
    func sameName() throws {
        var text = "# pxname,svname,status,type,iid,bck,tracked,check_status,last_chk,addr\nweb,FRONTEND,OPEN,0,1,,,,,\nweb,sock,OPEN,3,1,,,,,192.0.2.1:80\n"
        text += "web,s,UP,2,2,0,,L4OK,,10.0.0.1:80\nweb,BACKEND,UP,1,2,,,,,\n\n"
        var snapshot = try Captured.snapshot()
        snapshot.proxies = try ProxyTable(Array(text.utf8))
        let inside = ServiceMatch().inside(snapshot, of: .with { $0.namespace = "/acme"; $0.name = "web" }, .with { $0.port = 80 }, at: [])
        #expect(inside.backends.isEmpty && inside.problem.hasPrefix("HAProxy does not tell which backend its frontend web has"))
    }

    @Test("the configuration file's default_backend is taken, but not over rules, nor over the settings", arguments: [
        ("frontend shop\n default_backend web\n", [String: String](), 7, ""),
        ("frontend shop\n default_backend web\n", ["shop": "both"], 2, ""),
        ("frontend shop\n use_backend web if TRUE\n", [:], 0, "HAProxy's frontend shop has `use_backend` rules: set backends.shop to one of both, web"),
        (
            "frontend shop\n default_backend gone\n", [:], 0,
            "HAProxy does not tell which backend its frontend shop has: set backends.shop to one of both, web, or `configuration` to HAProxy's file"
        ),
    ])
    func file(text: String, backends: [String: String], count: Int, problem: String) throws {
        let directory = try TemporaryDirectory()
        var snapshot = try Captured.snapshot()
        snapshot.file = ConfigurationFile(try directory.write("haproxy.cfg", "\(text)\nbackend web\n server up 127.0.0.1:19001 send-proxy-v2\n"), after: nil, start: .max)
        let inside = ServiceMatch(backends: backends).inside(snapshot, of: .with { $0.namespace = "/acme"; $0.name = "web" }, .with { $0.port = 18001 }, at: [])
        #expect(inside.backends.count == count && inside.problem == problem)
        if count == 7 { #expect(inside.backends.map(\.proxyProtocol) == [.v2] + [BalancerConfiguration.ProxyProtocol](repeating: .unknown, count: 6)) }
    }

    @Test("what the settings name must exist, and what does is said")
    func unknown() throws {
        #expect(try look(port: 1, .init(frontends: ["/acme/web": "x"])).problem == "HAProxy has no frontend x: set frontends./acme/web to one of both, plain, shop")
        #expect(try look(port: 18001, .init(backends: ["shop": "x"])).problem == "HAProxy has no backend x: set backends.shop to one of both, web")
    }

    @Test("a port that no frontend has is not guessed, also if a frontend has the service's name; the setting says it")
    func otherPort() throws {
        #expect(try look("both", port: 443).problem
            == "no frontend of HAProxy listens on port 443: set frontends./acme/both to one of both, plain, shop, if one is the service's all the same")
        #expect(try look("both", port: 443, .init(frontends: ["/acme/both": "both"])).names == ["both/s1", "both/s2"])
        #expect(try look(port: 70_000).names == [])
    }

    /// Two sections listen on one port at different addresses.
    private func twins() throws -> Snapshot {
        let columns = "# pxname,svname,status,type,iid,bck,tracked,check_status,last_chk,addr\n"
        func section(_ name: String, _ id: Int, _ address: String, _ status: String = "OPEN") -> String {
            "\(name),FRONTEND,\(status),0,\(id),,,,,\n\(name),sock-1,OPEN,3,\(id),,,,,\(address):80\n"
                + "\(name),s,DOWN,2,\(id),0,,L4TOUT,,10.0.0.\(id):80\n\(name),BACKEND,DOWN,1,\(id),,,,,\n"
        }
        var snapshot = try Captured.snapshot()
        snapshot.proxies = try ProxyTable(Array((columns + section("one", 1, "192.0.2.1") + section("two", 2, "192.0.2.2", "STOP") + "\n").utf8))
        return snapshot
    }

    @Test("of two frontends on a port, the one at the service's address is its, then the one of its name, else none", arguments: [
        ("web", "192.0.2.2", "two/s"), ("web", "192.0.2.1", "one/s"), ("two", "192.0.2.9", "two/s"), ("web", "192.0.2.9", ""),
    ])
    func narrowed(name: String, address: String, server: String) throws {
        let ip = try #require(IPAddress(address))
        let inside = ServiceMatch().inside(
            try twins(), of: .with { $0.namespace = "/acme"; $0.name = name }, .with { $0.port = 80 },
            at: [.with { $0.address = .init(ip.bytes); $0.prefixLength = 32 }])
        #expect(inside.backends.map(\.name) == (server.isEmpty ? [] : [server]))
        if server.isEmpty { #expect(inside.problem == "HAProxy's frontends one, two all listen on port 80: set frontends./acme/web to the service's") }
        if server == "two/s" {
            #expect(inside.problem
                == "HAProxy's frontend two is STOP, and takes no connections; HAProxy's backend two is DOWN: none of its servers takes connections")
        }
    }

    @Test("more servers than fit a message are cut, and it is said")
    func many() throws {
        var text = "# pxname,svname,status,type,iid,bck,tracked,check_status,last_chk,addr\nweb,FRONTEND,OPEN,0,1,,,,,\nweb,sock,OPEN,3,1,,,,,192.0.2.1:80\n"
        for index in 0..<20_000 { text += "web,s\(index),UP,2,1,0,,L4OK,,10.0.0.1:80\n" }
        var snapshot = try Captured.snapshot()
        snapshot.proxies = try ProxyTable(Array((text + "web,BACKEND,UP,1,1,,,,,\n\n").utf8))
        let inside = ServiceMatch().inside(snapshot, of: .with { $0.namespace = "/acme"; $0.name = "web" }, .with { $0.port = 80 }, at: [])
        #expect(inside.backends.count > 5000)
        #expect(inside.problem == "HAProxy's backend web has 20000 servers, of which \(inside.backends.count) are shown")
        let bytes = try inside.backends.reduce(0) { try $0 + ($1.serializedBytes() as [UInt8]).count + 8 }
        #expect(bytes < 1 << 20)
    }
}
