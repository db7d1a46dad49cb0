// Which PUs implement a service, and what is decided before one of them has answered.

import Policy
import Support
import Testing

@Suite struct TargetTests {
    @Test("a PU serves the target ports of the services that select it where they hold; several on one port come nearest first")
    func served() throws {
        let snapshot = snapshot(
            .unit("/acme/shop/web", ["app=web"]), .unit("/acme/bank/web", ["app=web"]),
            .service("/acme/shop/b", target: [["app=web"]], targetPort: 80), .service("/acme/shop/a", target: [["app=web"], ["$name=web"]], targetPort: 80),
            .service("/acme/wide", target: [["app=web"]], targetPort: 80, propagate: true), .service("/acme/narrow", target: [["app=web"]], targetPort: 81),
            .service("/acme/shop/db", target: [["app=db"]], targetPort: 82),
            .service("/acme/shop/off", target: [["app=web"]], targetPort: 83, disabled: true))
        let unit = try snapshot.unit("/acme/shop/web")
        #expect(unit.plan.servedPorts == [80])
        #expect(unit.services(targetPort: 80).map(\.path) == ["/acme/shop/a", "/acme/shop/b", "/acme/wide"])
        #expect(unit.services(targetPort: 81).isEmpty && unit.services(targetPort: 83).isEmpty)
        #expect(try snapshot.unit("/acme/bank/web").services(targetPort: 80).map(\.path) == ["/acme/wide"])
    }

    @Test("of two services with one public port the nearest serves it, and a port that is another service's target stays that")
    func published() throws {
        let snapshot = snapshot(
            .unit("/acme/shop/web", ["app=web"]), .service("/acme/shop/plain", target: [["app=web"]], targetPort: 80),
            .service("/acme/shop/b", target: [["app=web"]], targetPort: 81, publicPort: 8003),
            .service("/acme/wide", target: [["app=web"]], targetPort: 82, publicPort: 8003, propagate: true),
            .service("/acme/shop/clash", target: [["app=web"]], targetPort: 83, publicPort: 80))
        let unit = try snapshot.unit("/acme/shop/web")
        #expect(unit.plan.publicPorts == [8003] && unit.plan.servedPorts == [80, 81, 82, 83])
        #expect(unit.service(publicPort: 8003)?.path == "/acme/shop/b")
        #expect(unit.service(publicPort: 80) == nil && unit.services(targetPort: 80).map(\.path) == ["/acme/shop/plain"])
        let problems = snapshot.problems.filter { $0.field == "spec.publicPort" }
        #expect(problems.map(\.origin) == ["/acme/shop/clash", "/acme/wide"] && problems.allSatisfy { $0.severity == .warning })
        #expect(problems.map(\.message) == [
            "80 is the target port of /acme/shop/plain, which /acme/shop/web implements too; there it serves that one's peers and nobody else, give this one another public port",
            "8003 is the public port of /acme/shop/b too, and /acme/shop/web implements both; there it serves the other, give this one another public port",
        ])
    }

    @Test("services with one public port are told of once, however many units there are, and not at all where no unit of this node has both")
    func takenPublicPorts() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(
            upserts: [
                .unit("/a/one", ["app=x", "app=y"]), .unit("/a/two", ["app=x", "app=y"]), .unit("/a/three", ["app=x"]),
                .service("/a/x", target: [["app=x"]], targetPort: 80, publicPort: 8003), .service("/a/y", target: [["app=y"]], targetPort: 81, publicPort: 8003),
            ], removes: [])
        func told(_ snapshot: PolicySnapshot) -> [String] { snapshot.problems.filter { $0.field == "spec.publicPort" }.map(\.origin) }
        #expect(told(compiler.compile()) == ["/a/y"])
        _ = compiler.apply(upserts: [.unit("/a/one", ["app=x"]), .unit("/a/two", ["app=y"])], removes: [])
        let apart = compiler.compile()
        #expect(told(apart).isEmpty)
        #expect(try apart.unit("/a/two").service(publicPort: 8003)?.path == "/a/y")
    }

    @Test("a service that is disabled or whose selector changes is served no more")
    func change() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/web", ["app=web"])], removes: [])
        func served(_ service: PolicyObject?) throws -> Set<UInt16> {
            _ = compiler.apply(upserts: service.map { [$0] } ?? [], removes: service == nil ? [PolicyKey(.tcpService, "/a/s")] : [])
            return try compiler.compile().unit("/a/web").plan.servedPorts
        }
        #expect(try served(.service("/a/s", target: [["app=web"]], targetPort: 80)) == [80])
        #expect(try served(.service("/a/s", target: [["app=web"]], targetPort: 81)) == [81])
        #expect(try served(.service("/a/s", target: [["app=db"]], targetPort: 81)) == [])
        #expect(try served(.service("/a/s", target: [["app!=db"]], targetPort: 81)) == [81])
        #expect(try served(.service("/a/s", target: [["app!=db"]], targetPort: 81, disabled: true)) == [])
        #expect(try served(.service("/a/s", target: [["$name=web"]], targetPort: 82)) == [82])
        #expect(try served(nil) == [])
    }

    @Test("a peer satisfies a service's target by its tags and by living where the service holds", arguments: [
        (["$namespace=/acme/shop", "app=web"], true, true), (["$namespace=/acme/shop/eu", "app=web"], false, true),
        (["$namespace=/acme/shop/never/heard/of", "app=web"], false, true), (["$namespace=/acme/shopping", "app=web"], false, false),
        (["$namespace=/acme", "app=web"], false, false), (["$namespace=/", "app=web"], false, false), (["$namespace=/acme/shop", "app=db"], false, false),
        (["app=web"], false, false), (["$namespace=nonsense", "app=web"], false, false), ([], false, false),
        (["$namespace=/acme/shop", "$namespace=/acme/bank", "app=web"], false, false),
        (["$namespace=" + String(repeating: "/", count: 5000), "app=web"], false, false),
    ])
    func satisfies(tags: [String], own: Bool, propagating: Bool) throws {
        let snapshot = snapshot(
            .unit("/acme/shop/client"), .unit("/acme/bank/x"), .service("/acme/shop/own", target: [["app=web"]]),
            .service("/acme/shop/wide", target: [["app=web"]], propagate: true))
        let unit = try snapshot.unit("/acme/shop/client")
        #expect(try unit.satisfies(snapshot.intern(tags), targetOf: snapshot.service("/acme/shop/own")) == own)
        #expect(try unit.satisfies(snapshot.intern(tags), targetOf: snapshot.service("/acme/shop/wide")) == propagating)
    }

    @Test("dialling is refused only where every PU that could answer would be", arguments: [
        // What a PU with app=web is known to lack or have decides; what is not known of it may be.
        ([.allow([["app=web"]])], "allowed"), ([.allow([["app=web", "zone=eu"]])], "allowed"), ([.allow([["other=tag"]])], "allowed"),
        ([.allow([["$identity=externalnetwork"]])], "rejected by the default action of /"),
        ([.allow([["$namespace=/elsewhere"]])], "rejected by the default action of /"), ([.allow([["$namespace=/acme*"]])], "allowed"),
        ([.allow([["app!=web"]])], "rejected by the default action of /"), ([.allow([["app!=*"]])], "rejected by the default action of /"),
        ([.allow([["app!=db"]])], "allowed"), ([.allow([["stage=old"]])], "rejected by the default action of /"),
        ([.allow([["app=web"]], ["tcp/443"])], "rejected by the default action of /"), ([.allow([["app=web"]], ["tcp/9376"])], "allowed"),
        ([.allow([["app=web"]]), .reject([["zone=eu"]])], "allowed"), ([.allow([["app=web"]]), .reject([["app=web"]])], "rejected by /acme/r#1"),
        ([.allow([["app=web"]]), .reject([["app=w*"]])], "rejected by /acme/r#1"), ([.allow([["app=web"]]), .reject([["app=*"]], ["tcp/80"])], "rejected by /acme/r#1"),
        ([.allow([["app=web"]]), .reject([["app=web", "zone!=eu"]])], "allowed"), ([.allow([["app=web"]]), .reject([["app=web", "stage!=old"]])], "rejected by /acme/r#1"),
        ([.allow([["app=web"]]), .reject([["$namespace=/acme"]])], "rejected by /acme/r#1"),
        ([.allow([["app=web"]]), .reject([["app=web"]], observe: true)], "allowed"), ([], "rejected by the default action of /"),
    ] as [([PolicyRule], String)])
    func dialling(rules: [PolicyRule], expected: String) throws {
        let snapshot = snapshot(
            .unit("/acme/client"), .service("/acme/web", port: 9376, target: [["app=web", "stage!=old"]], targetPort: 80),
            .ruleset("/acme/r", outgoing: rules))
        let decision = try snapshot.unit("/acme/client").decide(dialling: snapshot.service("/acme/web"))
        #expect(expected == "allowed" ? decision.allowed : decision.text == expected)
    }

    @Test("dialling is allowed if the PUs of one clause of the selector may be, and under a default of Allow unless a rule rejects")
    func diallingClauses() throws {
        let snapshot = snapshot(
            .namespace("/open", outgoing: .allow), .unit("/acme/client"), .unit("/open/client"),
            .service("/acme/s", target: [["app=web"], ["app=db"]]), .service("/open/s", target: [["app=web"], ["app=db"]]),
            .ruleset("/acme/r", outgoing: [.allow([["app=db"]]), .reject([["app=web"]])]), .ruleset("/open/r", outgoing: [.reject([["app=web"]])]))
        #expect(try snapshot.unit("/acme/client").decide(dialling: snapshot.service("/acme/s")).allowed)
        #expect(try snapshot.unit("/open/client").decide(dialling: snapshot.service("/open/s")).allowed)
    }

    @Test("a PU is local with sockets here and this node or none; hosts and host services need no network namespace")
    func local() throws {
        var elsewhere = PolicyObject.unit("/a/elsewhere", node: "node-2")
        elsewhere.processingUnit.networkNamespacePath = "/run/netns/x"
        var here = PolicyObject.unit("/a/here", node: "node-1")
        here.processingUnit.networkNamespacePid = 42
        var host = PolicyObject.unit("/a/host", node: "node-1")
        host.processingUnit.type = .host
        var service = PolicyObject.unit("/a/service", node: "node-1")
        service.processingUnit.type = .hostService
        service.processingUnit.cgroup = "system.slice/nginx.service"
        let snapshot = snapshot(.unit("/a/plain"), .unit("/a/remote", node: "node-1"), elsewhere, here, host, service)
        #expect(snapshot.units.map(\.key.description) == ["/a/here", "/a/host", "/a/plain", "/a/service"])
        #expect(snapshot.units.map(\.networkNamespace) == [.pid(42), .host, .path("/run/netns/plain"), .host])
        #expect(snapshot.units[3].cgroup == "system.slice/nginx.service")
        #expect(snapshot.counts == PolicyCounts(units: 6, localUnits: 4))
    }
}
