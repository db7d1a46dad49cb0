// Which rulesets hold for a PU: namespace, propagation, subject, fallback, disabled.

import Policy
import Support
import Testing

@Suite struct RulesetScopeTests {
    private let allowWeb: [PolicyRule] = [.allow([["app=web"]])]

    @Test("a ruleset holds in its namespace, with propagate in all below, and never above or beside", arguments: [true, false])
    func propagation(propagate: Bool) throws {
        let snapshot = snapshot(
            .unit("/client"), .unit("/acme/client"), .unit("/acme/shop/client"), .unit("/acme/shop/eu/client"), .unit("/acme/bank/client"),
            .unit("/acme/shop2/client"), .ruleset("/acme/shop/rules", outgoing: allowWeb, propagate: propagate))
        let allowed = try ["", "/acme", "/acme/shop", "/acme/shop/eu", "/acme/bank", "/acme/shop2"]
            .filter { try snapshot.decision("\($0)/client", webTags).hasPrefix("allowed") }
        #expect(allowed == (propagate ? ["/acme/shop", "/acme/shop/eu"] : ["/acme/shop"]))
    }

    @Test("a ruleset of the root holds in the root, and below only with propagate", arguments: [true, false])
    func root(propagate: Bool) throws {
        let snapshot = snapshot(
            .unit("/client"), .unit("/acme/client"), .ruleset("/rules", outgoing: allowWeb, propagate: propagate))
        #expect(try snapshot.decision("/client", webTags) == "allowed by /rules#0")
        #expect(try snapshot.decision("/acme/client", webTags).hasPrefix("allowed") == propagate)
    }

    @Test("a ruleset holds only for its subject, by the PU's own, derived and inherited tags", arguments: [
        ("role=a", true), ("$name=client", true), ("$namespace=/acme/shop", true), ("$id=/acme/shop/client", true), ("$type=Container", true),
        ("$identity=processingunit", true), ("@os:hostname=host-1", true), ("@org:env=prod", true), ("role!=b", true),
        ("role=b", false), ("$name=other", false), ("$namespace=/acme", false), ("$type=Host", false), ("$identity=service", false),
        ("@org:env=test", false), ("@os:hostname=host-2", false),
    ])
    func subject(expression: String, expected: Bool) throws {
        let snapshot = snapshot(
            .namespace("/acme", tags: ["env=prod"]), .unit("/acme/shop/client", ["role=a"]),
            .ruleset("/acme/shop/rules", subject: [[expression]], outgoing: allowWeb))
        #expect(try snapshot.decision("/acme/shop/client", webTags).hasPrefix("allowed") == expected)
    }

    @Test("a fallback ruleset holds only where no other ruleset does")
    func fallback() throws {
        let snapshot = snapshot(
            .unit("/acme/client", ["role=a"]), .unit("/acme/other", ["role=b"]),
            .ruleset("/acme/fallback", outgoing: allowWeb, fallback: true),
            .ruleset("/acme/second", outgoing: [.allow([["app=db"]])], fallback: true),
            .ruleset("/acme/proper", subject: [["role=a"]], incoming: [.allow([["x=y"]])]),
            .ruleset("/acme/off", subject: [["role=b"]], outgoing: [.reject(anyone)], disabled: true))
        #expect(try snapshot.decision("/acme/client", webTags) == "rejected by the default action of /")
        #expect(try snapshot.decision("/acme/other", webTags) == "allowed by /acme/fallback#0")
        #expect(try snapshot.decision("/acme/other", ["app=db"]) == "allowed by /acme/second#0", "several fallbacks hold together")
    }

    @Test("a fallback ruleset that propagates gives way to one of a namespace below")
    func fallbackFromAbove() throws {
        let snapshot = snapshot(
            .unit("/acme/a/client"), .unit("/acme/b/client"),
            .ruleset("/acme/fallback", outgoing: allowWeb, propagate: true, fallback: true),
            .ruleset("/acme/a/proper", outgoing: [.allow([["x=y"]])]))
        #expect(try snapshot.decision("/acme/a/client", webTags).hasPrefix("rejected"))
        #expect(try snapshot.decision("/acme/b/client", webTags).hasPrefix("allowed"))
    }

    @Test("a disabled ruleset decides nothing, and does again once it is enabled")
    func disabled() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/client"), .ruleset("/a/rules", outgoing: allowWeb, disabled: true)], removes: [])
        #expect(try compiler.compile().decision("/a/client", webTags).hasPrefix("rejected"))
        _ = compiler.apply(upserts: [.ruleset("/a/rules", outgoing: allowWeb)], removes: [])
        #expect(try compiler.compile().decision("/a/client", webTags).hasPrefix("allowed"))
        _ = compiler.apply(upserts: [.ruleset("/a/rules", outgoing: allowWeb, disabled: true)], removes: [])
        #expect(try compiler.compile().decision("/a/client", webTags).hasPrefix("rejected"))
    }
}
