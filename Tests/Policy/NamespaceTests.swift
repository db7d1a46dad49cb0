// Namespaces: what PUs inherit from them.

import Policy
import Support
import Testing

@Suite struct NamespaceTests {
    @Test("the default action is the nearest namespace's that does not inherit, each direction by itself")
    func defaultAction() throws {
        let snapshot = snapshot(
            .namespace("/acme", incoming: .allow, outgoing: .reject), .namespace("/acme/shop", outgoing: .allow),
            .unit("/acme/shop/eu/client"), .unit("/acme/client"), .unit("/client"))
        #expect(try snapshot.decision("/acme/shop/eu/client", .incoming, webTags) == "allowed by the default action of /acme")
        #expect(try snapshot.decision("/acme/shop/eu/client", .outgoing, webTags) == "allowed by the default action of /acme/shop")
        #expect(try snapshot.decision("/acme/client", .outgoing, webTags) == "rejected by the default action of /acme")
        #expect(try snapshot.decision("/client", .incoming, webTags) == "rejected by the default action of /")
    }

    @Test("the root's document sets what all inherit, and what it leaves out stays Reject")
    func root() throws {
        let snapshot = snapshot(.namespace("/", outgoing: .allow), .unit("/acme/client"))
        #expect(try snapshot.decision("/acme/client", .outgoing, webTags) == "allowed by the default action of /")
        #expect(try snapshot.decision("/acme/client", .incoming, webTags) == "rejected by the default action of /")
    }

    @Test("an unknown peer gets the default action, also where that is Allow")
    func unknownPeer() throws {
        let snapshot = snapshot(.namespace("/acme", incoming: .allow), .unit("/acme/client"))
        let unit = try snapshot.unit("/acme/client")
        #expect(unit.decide(.incoming, peer: .unknown, ports: FlowPorts(target: 80, dialled: 80)).allowed)
    }

    @Test("a PU carries the tags of its namespaces as @org tags; the nearest decides a key's values")
    func tags() throws {
        let snapshot = snapshot(
            .namespace("/", tags: ["company=acme", "env=none"]), .namespace("/acme", tags: ["env=prod", "team=a"]),
            .namespace("/acme/shop", tags: ["team=b", "team=c"]), .unit("/acme/shop/client", ["app=x"]), .unit("/other/client"))
        #expect(
            try snapshot.unit("/acme/shop/client").tags == [
                "$id=/acme/shop/client", "$identity=processingunit", "$name=client", "$namespace=/acme/shop", "$type=Container",
                "@org:company=acme", "@org:env=prod", "@org:team=b", "@org:team=c", "@os:hostname=host-1", "app=x",
            ])
        #expect(try snapshot.unit("/other/client").tags.contains("@org:env=none"))
    }

    @Test("onPolicyChange and failureMode are inherited; without a word they are Reset and Closed")
    func modes() throws {
        let snapshot = snapshot(
            .namespace("/acme", onPolicyChange: .drain, failureMode: .open), .namespace("/acme/shop", onPolicyChange: .keep),
            .unit("/acme/shop/eu/client"), .unit("/client"))
        let inner = try snapshot.unit("/acme/shop/eu/client")
        #expect(inner.onPolicyChange == .keep && inner.failureMode == .open)
        let outer = try snapshot.unit("/client")
        #expect(outer.onPolicyChange == .reset && outer.failureMode == .closed)
    }

    @Test("a namespace's document that changes or goes changes what those below inherit")
    func change() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(
            upserts: [
                .namespace("/acme", outgoing: .allow, tags: ["env=prod"]), .unit("/acme/shop/client"),
                .service("/acme/shop/db", target: [["@org:env=test"]]),
            ], removes: [])
        var snapshot = compiler.compile()
        #expect(try snapshot.decision("/acme/shop/client", webTags).hasPrefix("allowed"))
        #expect(try snapshot.unit("/acme/shop/client").services(targetPort: 80).isEmpty)

        _ = compiler.apply(upserts: [.namespace("/acme", tags: ["env=test"])], removes: [])
        snapshot = compiler.compile()
        #expect(try snapshot.decision("/acme/shop/client", webTags) == "rejected by the default action of /")
        #expect(try snapshot.unit("/acme/shop/client").tags.contains("@org:env=test"))
        #expect(try snapshot.unit("/acme/shop/client").services(targetPort: 80).map(\.path) == ["/acme/shop/db"])

        _ = compiler.apply(upserts: [], removes: [PolicyKey(.namespace, "/acme")])
        snapshot = compiler.compile()
        #expect(try snapshot.unit("/acme/shop/client").services(targetPort: 80).isEmpty)
        #expect(snapshot.counts.namespaces == 0)
    }
}
