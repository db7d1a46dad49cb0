// The order in which rules decide (BEHAVIOUR, "Decisions").

import Policy
import Support
import Testing

@Suite struct RuleTests {
    @Test("where nothing matches, everything is refused by the root")
    func defaultDeny() throws {
        let snapshot = snapshot(.unit("/acme/client"))
        #expect(try snapshot.decision("/acme/client", .outgoing, webTags) == "rejected by the default action of /")
        #expect(try snapshot.decision("/acme/client", .incoming, webTags) == "rejected by the default action of /")
        let decidedBy = try snapshot.unit("/acme/client").decide(.incoming, peer: .unknown, ports: FlowPorts(target: 1, dialled: 1)).decidedBy
        #expect(decidedBy.isDefault && decidedBy.ruleset.isEmpty && decidedBy.rule.isEmpty)
    }

    @Test("Reject beats Allow, however far away the Reject is and whatever its name")
    func rejectFirst() throws {
        let snapshot = snapshot(
            .unit("/acme/shop/client"),
            .ruleset("/acme/shop/a", outgoing: [.allow([["app=web"]]), .reject([["app=other"]])]),
            .ruleset("/z", outgoing: [.reject([["app=*"]])], propagate: true))
        #expect(try snapshot.decision("/acme/shop/client", webTags) == "rejected by /z#0")
    }

    @Test("of several rules that match, the nearest namespace's is reported, then the first ruleset by name, then the first rule")
    func winner() throws {
        let rules: [PolicyRule] = [.allow([["x=y"]]), .allow([["app=*"]]), .allow([["app=web"]])]
        var objects: [PolicyObject] = [
            .unit("/a/b/client"), .ruleset("/a/b/m", outgoing: rules), .ruleset("/a/b/k", outgoing: rules),
            .ruleset("/a/a", outgoing: rules, propagate: true), .ruleset("/0", outgoing: rules, propagate: true),
        ]
        for expected in ["/a/b/k#1", "/a/b/m#1", "/a/a#1", "/0#1"] {
            var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
            _ = compiler.apply(upserts: objects.shuffled(), removes: [])
            #expect(try compiler.compile().decision("/a/b/client", webTags) == "allowed by \(expected)")
            objects.removeAll { "\($0.key.namespace == "/" ? "" : $0.key.namespace)/\($0.key.name)#1" == expected }
        }
    }

    @Test("a rule matches by the target port or by the dialled one, Reject rules too", arguments: [
        ("tcp/80", true), ("tcp/9376", true), ("tcp/81", false), ("tcp/1:79", false), ("tcp/70:90", true), ("tcp/9000:9999", true),
        ("any", true), ("udp/80", false), ("udp/9376", false), ("tcp/65535", false),
    ])
    func ports(port: String, expected: Bool) throws {
        let snapshot = snapshot(
            .namespace("/acme", incoming: .allow), .unit("/acme/client"),
            .ruleset("/acme/rules", incoming: [.reject([["app=web"]], [port])], outgoing: [.allow([["app=web"]], ["tcp/2", port, "tcp/3:4"])]))
        let unit = try snapshot.unit("/acme/client")
        let ports = FlowPorts(target: 80, dialled: 9376)
        #expect(unit.decide(.outgoing, peer: snapshot.intern(webTags), ports: ports).allowed == expected)
        #expect(unit.decide(.incoming, peer: snapshot.intern(webTags), ports: ports).allowed == !expected)
    }

    @Test("the first rule decides also among many rules for single ports and ranges about the same tag")
    func manyPorts() throws {
        let rules = (0..<300).map { index -> PolicyRule in
            let port = 1000 + index % 100
            return .allow([["app=web"]], [index % 3 == 0 ? "tcp/\(port):\(port + 5)" : "tcp/\(port)"], name: "r\(index)")
        }
        let snapshot = snapshot(.unit("/acme/client"), .ruleset("/acme/rules", outgoing: rules))
        let unit = try snapshot.unit("/acme/client")
        for (target, dialled) in [(1000, 1000), (1050, 1001), (1104, 5), (5, 1099), (1105, 999)] as [(UInt16, UInt16)] {
            let expected = rules.indices.first { index in
                let low = UInt16(1000 + index % 100)
                let range = low...(index % 3 == 0 ? low + 5 : low)
                return range.contains(target) || range.contains(dialled)
            }
            let decision = unit.decide(.outgoing, peer: snapshot.intern(webTags), ports: FlowPorts(target: target, dialled: dialled))
            #expect(decision.decidedBy.rule == (expected.map { "r\($0)" } ?? ""))
        }
    }

    @Test("an observe rule changes what is reported and not what is done")
    func observe() throws {
        let snapshot = snapshot(
            .unit("/acme/client"),
            .ruleset(
                "/acme/rules", outgoing: [.allow([["app=web"]], observe: true), .reject([["app=web"]], ["tcp/81"], observe: true), .allow([["app=db"]])]))
        let unit = try snapshot.unit("/acme/client")
        func decide(_ tags: [String], _ port: UInt16) -> Decision {
            unit.decide(.outgoing, peer: snapshot.intern(tags), ports: FlowPorts(target: port, dialled: port))
        }
        let web = decide(["app=web"], 80)
        #expect(!web.allowed && web.observedAllowed && web.observed?.rule == "#0" && web.decidedBy.isDefault)
        let both = decide(["app=web"], 81)
        #expect(!both.allowed && !both.observedAllowed && both.observed?.rule == "#1", "observed Reject rules come first, too")
        let db = decide(["app=db"], 80)
        #expect(db.allowed && db.observed == nil && db.observedAllowed)
    }

    @Test("a decision says whether the rule that decided asks for a record")
    func logs() throws {
        let snapshot = snapshot(
            .unit("/acme/client"), .ruleset("/acme/rules", outgoing: [.allow([["app=web"]], silent: true), .allow([["app=db"]])]))
        let unit = try snapshot.unit("/acme/client")
        let ports = FlowPorts(target: 80, dialled: 80)
        #expect(!unit.decide(.outgoing, peer: snapshot.intern(["app=web"]), ports: ports).logs)
        #expect(unit.decide(.outgoing, peer: snapshot.intern(["app=db"]), ports: ports).logs)
        #expect(unit.decide(.outgoing, peer: snapshot.intern(["app=x"]), ports: ports).logs)
    }

    @Test("a rule is named by its name, or by its place in its direction")
    func names() throws {
        let snapshot = snapshot(
            .unit("/client"),
            .ruleset("/rules", incoming: [.allow([["app=x"]]), .allow([["app=web"]])], outgoing: [.allow([["app=web"]], name: "web")]))
        #expect(try snapshot.decision("/client", .outgoing, webTags) == "allowed by /rules#web")
        #expect(try snapshot.decision("/client", .incoming, webTags) == "allowed by /rules#1")
    }

    @Test("a rule that has not changed keeps its reference from snapshot to snapshot")
    func identity() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/client"), .ruleset("/a/rules", outgoing: [.allow([["app=web"]])])], removes: [])
        let ports = FlowPorts(target: 80, dialled: 80)
        func reference(_ snapshot: PolicySnapshot) throws -> RuleReference {
            try snapshot.unit("/a/client").decide(.outgoing, peer: snapshot.intern(["app=web"]), ports: ports).decidedBy
        }
        let first = try reference(compiler.compile())
        _ = compiler.apply(upserts: [.ruleset("/a/zzz", outgoing: [.allow([["app=web"]])])], removes: [])
        #expect(try reference(compiler.compile()) === first)
    }
}
