// From a dialled address to a service (BEHAVIOUR, "Overlaps and edges").

import Linux
import Policy
import Support
import Testing

@Suite struct FrontendTests {
    @Test("addresses and CIDRs of both families are frontends, with the service's port alone")
    func families() throws {
        let snapshot = snapshot(
            .unit("/a/client"),
            .service("/a/db", at: ["10.0.0.1", "10.1.0.0/16", "2001:db8::1", "2001:db8:1::/64"], port: 5432, target: [["app=db"]]))
        for address in ["10.0.0.1:5432", "10.1.255.255:5432", "[2001:db8::1]:5432", "[2001:db8:1::ffff]:5432"] {
            #expect(try snapshot.dialled("/a/client", address) == "/a/db")
        }
        for address in ["10.0.0.1:5433", "10.0.0.2:5432", "10.2.0.0:5432", "[2001:db8::2]:5432", "[2001:db8:2::1]:5432", "[::1]:5432"] {
            #expect(try snapshot.dialled("/a/client", address) == nil)
        }
        #expect(
            try Set(snapshot.unit("/a/client").plan.frontends.map(\.description)) == [
                "10.0.0.1:5432", "10.1.0.0/16:5432", "[2001:db8::1]:5432", "[2001:db8:1::/64]:5432",
            ])
    }

    @Test("a frontend that is all of IPv6 is none of IPv4")
    func wildcards() throws {
        let six = snapshot(.unit("/a/client"), .service("/a/six", at: ["::/0"], target: [["a=b"]]))
        #expect(try six.dialled("/a/client", "[2001:db8::1]:9376") == "/a/six")
        #expect(try six.dialled("/a/client", "192.0.2.1:9376") == nil)
        let four = snapshot(.unit("/a/client"), .service("/a/four", at: ["0.0.0.0/0"], target: [["a=b"]]))
        #expect(try four.dialled("/a/client", "192.0.2.1:9376") == "/a/four")
        #expect(try four.dialled("/a/client", "[2001:db8::1]:9376") == nil)
    }

    @Test("of two services with the same frontend the longer prefix wins, then the nearest namespace, then the name; a warning names both")
    func overlaps() throws {
        let snapshot = snapshot(
            .unit("/acme/shop/client"),
            .service("/acme/shop/wide", at: ["10.0.0.0/8", "10.9.0.0/16"], target: [["a=b"]]),
            .service("/acme/far", at: ["10.1.0.0/16", "10.9.0.0/16"], target: [["a=b"]], propagate: true),
            .service("/acme/shop/b", at: ["10.2.0.1"], target: [["a=b"]]), .service("/acme/shop/a", at: ["10.2.0.1"], target: [["a=b"]]),
            .service("/acme/shop/other", at: ["192.0.2.1"], target: [["a=b"]]))
        #expect(try snapshot.dialled("/acme/shop/client", "10.1.0.1:9376") == "/acme/far")
        #expect(try snapshot.dialled("/acme/shop/client", "10.9.0.1:9376") == "/acme/shop/wide")
        #expect(try snapshot.dialled("/acme/shop/client", "10.2.0.1:9376") == "/acme/shop/a")
        #expect(try snapshot.dialled("/acme/shop/client", "10.3.0.1:9376") == "/acme/shop/wide")
        #expect(try snapshot.dialled("/acme/shop/client", "192.0.2.1:9376") == "/acme/shop/other")
        let warnings = snapshot.problems.filter { $0.severity == .warning }
        let pairs = [("/acme/shop/a", "/acme/shop/b"), ("/acme/shop/a", "/acme/shop/wide"), ("/acme/shop/b", "/acme/shop/wide"),
                     ("/acme/far", "/acme/shop/wide"), ("/acme/shop/wide", "/acme/far")]
        for (winner, loser) in pairs {
            #expect(warnings.count { $0.message.contains("of \(winner) and of \(loser);") && $0.origin == loser } == 1, "\(winner) \(loser)")
        }
        #expect(warnings.count == pairs.count)
        #expect(!warnings.contains { $0.message.contains("/acme/shop/other") })
    }

    @Test("services that no PU sees together overlap without a warning")
    func apart() throws {
        let snapshot = snapshot(
            .unit("/a/client"), .unit("/b/client"), .service("/a/db", target: [["a=b"]]), .service("/b/db", target: [["a=b"]]))
        #expect(snapshot.problems.isEmpty)
        #expect(try snapshot.dialled("/a/client", "10.96.0.10:9376") == "/a/db")
        #expect(try snapshot.dialled("/b/client", "10.96.0.10:9376") == "/b/db")
    }

    @Test("what an adapter resolved takes the place of the document's addresses, until it says otherwise")
    func resolved() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/client"), .service("/a/db", at: ["10.0.0.1"], port: 80, target: [["a=b"]])], removes: [])
        let key = PolicyKey(.tcpService, "/a/db")
        func frontends(_ snapshot: PolicySnapshot) throws -> Set<String> { try Set(snapshot.unit("/a/client").plan.frontends.map(\.description)) }
        #expect(try frontends(compiler.compile()) == ["10.0.0.1:80"])
        let address = try #require(CIDR("10.0.0.2"))
        compiler.setFrontends(key, [Frontend(cidr: address, port: 81, host: "db.example.com"), Frontend(cidr: address, port: 81)])
        var snapshot = compiler.compile()
        #expect(try frontends(snapshot) == ["10.0.0.2:81"])
        #expect(try snapshot.dialled("/a/client", "10.0.0.2:81") == "/a/db")
        #expect(try snapshot.dialled("/a/client", "10.0.0.1:80") == nil)
        #expect(snapshot.listServices().first?.frontends.first == "10.0.0.2:81 (db.example.com)")

        _ = compiler.apply(upserts: [.service("/a/db", at: ["10.0.0.9"], port: 80, target: [["a=c"]])], removes: [])
        #expect(try frontends(compiler.compile()) == ["10.0.0.2:81"], "a new version of the document keeps what the adapter said")
        let isOther = compiler.setFrontends(key, [])
        let isOtherAgain = compiler.setFrontends(key, [])
        #expect(isOther && !isOtherAgain)
        snapshot = compiler.compile()
        #expect(try frontends(snapshot) == [])
        #expect(try snapshot.dialled("/a/client", "10.0.0.2:81") == nil)
        compiler.setFrontends(PolicyKey(.tcpService, "/nowhere/db"), [Frontend(cidr: address, port: 81)])
        #expect(try frontends(compiler.compile()) == [])
    }

    @Test("a PU's own address with a service's target port is that service, dialled directly")
    func direct() throws {
        let snapshot = snapshot(
            .unit("/a/client"), .unit("/a/db-1", ["app=db"], at: ["10.1.0.1", "2001:db8::1"], node: "node-2"),
            .unit("/a/db-2", ["app=db"], node: "node-2"), .unit("/a/web", ["app=web"], at: ["10.1.0.2"], node: "node-2"),
            .unit("/b/db", ["app=db"], at: ["10.1.0.3"], node: "node-2"), .unit("/b/client"),
            .service("/a/db", at: ["10.96.0.1"], port: 9376, target: [["app=db"]], targetPort: 5432))
        #expect(try snapshot.dialled("/a/client", "10.1.0.1:5432") == "/a/db directly")
        #expect(try snapshot.dialled("/a/client", "[2001:db8::1]:5432") == "/a/db directly")
        for other in ["10.1.0.1:9376", "10.1.0.2:5432", "10.1.0.3:5432"] { #expect(try snapshot.dialled("/a/client", other) == nil) }
        #expect(try snapshot.dialled("/b/client", "10.1.0.1:5432") == nil, "what it does not see it cannot dial directly either")
        #expect(
            try Set(snapshot.unit("/a/client").plan.frontends.map(\.description))
                == ["10.96.0.1:9376", "10.1.0.1:5432", "[2001:db8::1]:5432"])
    }

    @Test("a frontend goes before a PU's address")
    func frontendFirst() throws {
        let snapshot = snapshot(
            .unit("/a/client"), .unit("/a/db-1", ["app=db"], at: ["10.1.0.1"], node: "node-2"),
            .service("/a/db", target: [["app=db"]], targetPort: 80), .service("/a/front", at: ["10.1.0.0/24"], port: 80, target: [["app=x"]]))
        #expect(try snapshot.dialled("/a/client", "10.1.0.1:80") == "/a/front")
    }

    @Test("a PU that moves to another address, changes its tags or goes is followed")
    func moving() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(
            upserts: [.unit("/a/client"), .service("/a/db", at: ["10.96.0.1"], target: [["app=db"]], targetPort: 80)], removes: [])
        for (upsert, expected) in [
            (PolicyObject.unit("/a/db-1", ["app=db"], at: ["10.1.0.1"], node: "node-2"), ["10.1.0.1"]),
            (.unit("/a/db-1", ["app=db"], at: ["10.1.0.2", "10.1.0.3"], node: "node-2"), ["10.1.0.2", "10.1.0.3"]),
            (.unit("/a/db-2", ["app=db"], at: ["10.1.0.3"], node: "node-2"), ["10.1.0.2", "10.1.0.3"]),
            (.unit("/a/db-1", ["app=web"], at: ["10.1.0.2"], node: "node-2"), ["10.1.0.3"]),
        ] {
            _ = compiler.apply(upserts: [upsert], removes: [])
            let snapshot = compiler.compile()
            let found = try (1...4).map { "10.1.0.\($0)" }.filter { try snapshot.dialled("/a/client", "\($0):80") != nil }
            #expect(found == expected)
            #expect(try Set(snapshot.unit("/a/client").plan.frontends.map(\.description)) == Set(expected.map { "\($0):80" } + ["10.96.0.1:9376"]))
        }
        _ = compiler.apply(upserts: [], removes: [PolicyKey(.processingUnit, "/a/db-2")])
        #expect(try compiler.compile().dialled("/a/client", "10.1.0.3:80") == nil)
    }
}
