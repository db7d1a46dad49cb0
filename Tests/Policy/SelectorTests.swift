// Selectors: OR of ANDs of tag expressions (BEHAVIOUR, "Words").

import Policy
import Support
import Testing

@Suite struct SelectorTests {
    /// Whether a rule with this object matches a peer with these tags.
    private func selects(_ object: [[String]], _ tags: [String]) throws -> Bool {
        let snapshot = snapshot(
            .unit("/acme/client"), .ruleset("/acme/rules", outgoing: [.allow(object)]),
            // Other selectors around it, so that atoms and anchors are not alone.
            .ruleset("/acme/others", subject: [["x=y"]], outgoing: [.allow([["app=*"], ["app=w*", "tier!=*"], ["tier=a"]])]))
        return try snapshot.decision("/acme/client", tags).hasPrefix("allowed")
    }

    @Test("each form of expression matches what it says and nothing else", arguments: [
        ("app=web", ["app=web"], true), ("app=web", ["app=webber"], false), ("app=web", ["app=we"], false),
        ("app=web", ["APP=web"], false), ("app=web", ["other=web"], false),
        ("app=*", ["app=anything"], true), ("app=*", ["application=x"], false), ("app=*", ["ap=p"], false),
        ("app=we*", ["app=web"], true), ("app=we*", ["app=we"], true), ("app=we*", ["app=w"], false), ("app=we*", ["other=web"], false),
        ("app!=web", ["app=db"], true), ("app!=web", ["x=y"], true), ("app!=web", ["app=web"], false), ("app!=web", ["app=db", "app=web"], false),
        ("app!=*", ["x=y"], true), ("app!=*", ["app=db"], false),
        ("url=http://a=b", ["url=http://a=b"], true), ("url=http*", ["url=http://a=b"], true), ("naïve=é*", ["naïve=école"], true),
    ])
    func forms(expression: String, tags: [String], expected: Bool) throws {
        #expect(try selects([[expression]], tags) == expected)
    }

    @Test("a clause needs all of its expressions, a selector one of its clauses")
    func andOr() throws {
        let selector = [["app=web", "tier=front"], ["app=cron", "tier!=back"]]
        #expect(try selects(selector, ["app=web", "tier=front"]))
        #expect(try !selects(selector, ["app=web"]))
        #expect(try selects(selector, ["app=cron"]))
        #expect(try !selects(selector, ["app=cron", "tier=back"]))
        #expect(try !selects(selector, ["tier=front"]))
    }

    @Test("tags that no selector names still count as present, as a prefix and as another value")
    func unknownTags() throws {
        #expect(try selects([["zone=*"]], ["zone=never-heard-of"]))
        #expect(try selects([["zone=never*"]], ["zone=never-heard-of"]))
        #expect(try selects([["zone!=eu"]], ["zone=never-heard-of"]))
    }

    @Test("a peer of whom nothing is known matches no rule, not even a negation")
    func unknownPeer() throws {
        let snapshot = snapshot(
            .unit("/acme/client"), .ruleset("/acme/rules", outgoing: [.allow([["app!=web"]]), .allow([["app!=*"]])]))
        let unit = try snapshot.unit("/acme/client")
        let ports = FlowPorts(target: 80, dialled: 80)
        #expect(unit.decide(.outgoing, peer: .unknown, ports: ports).text == "rejected by the default action of /")
        #expect(try snapshot.decision("/acme/client", []) == "rejected by the default action of /")
        #expect(try snapshot.decision("/acme/client", ["app=db"]) == "allowed by /acme/rules#0")
    }

    @Test("tags interned by an earlier snapshot are judged by the rules of the later one")
    func earlierTags() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/acme/client"), .ruleset("/acme/a", outgoing: [.allow([["app=web"]])])], removes: [])
        let earlier = compiler.compile()
        let peer = earlier.intern(["app=web", "env=test"])
        _ = compiler.apply(upserts: [.ruleset("/acme/b", outgoing: [.reject([["env=test"]])])], removes: [])
        let later = compiler.compile()
        let ports = FlowPorts(target: 80, dialled: 80)
        #expect(try earlier.unit("/acme/client").decide(.outgoing, peer: peer, ports: ports).allowed)
        #expect(try later.unit("/acme/client").decide(.outgoing, peer: peer, ports: ports).text == "rejected by /acme/b#0")
    }
}
