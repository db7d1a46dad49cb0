// Which services a PU sees (BEHAVIOUR, "Objects").

import Policy
import Support
import Testing

@Suite struct VisibilityTests {
    /// The services that a PU sees, among those that have 10.0.0.N:80 as their frontend.
    private func seen(_ snapshot: PolicySnapshot, _ unit: String) throws -> [String] {
        try (1...9).compactMap { try snapshot.dialled(unit, "10.0.0.\($0):80") }
    }

    private func service(_ path: String, _ number: Int, tags: [String] = [], propagate: Bool = false, disabled: Bool = false) -> PolicyObject {
        .service(
            path, at: ["10.0.0.\(number)"], port: 80, target: [["app=nobody"]], tags: tags, propagate: propagate, disabled: disabled)
    }

    @Test("by default a PU sees the services that hold in its namespace: its own, and those that propagate from above")
    func byDefault() throws {
        let snapshot = snapshot(
            .unit("/acme/shop/client"), service("/acme/shop/a", 1), service("/acme/b", 2), service("/acme/c", 3, propagate: true),
            service("/acme/bank/d", 4, propagate: true), service("/acme/shop/eu/e", 5), service("/f", 6, propagate: true),
            service("/acme/shop/off", 7, disabled: true))
        #expect(try seen(snapshot, "/acme/shop/client") == ["/acme/shop/a", "/acme/c", "/f"])
    }

    @Test("the default service dependency can be disabled, which namespaces below inherit")
    func disabledDefault() throws {
        let snapshot = snapshot(
            .namespace("/acme", services: .disabled), .namespace("/acme/bank", services: .enabled),
            .unit("/acme/shop/client"), service("/acme/shop/a", 1), .unit("/acme/bank/client"), service("/acme/bank/b", 2))
        #expect(try seen(snapshot, "/acme/shop/client") == [])
        #expect(try snapshot.unit("/acme/shop/client").plan.frontends.isEmpty)
        #expect(try seen(snapshot, "/acme/bank/client") == ["/acme/bank/b"])
    }

    @Test("a dependency policy adds services by their tags, derived ones too", arguments: [
        ("tier=data", ["/acme/data/a", "/acme/data/b"]), ("$name=a", ["/acme/data/a"]), ("$namespace=/acme/data", ["/acme/data/a", "/acme/data/b"]),
        ("$identity=service", ["/acme/data/a", "/acme/data/b"]), ("tier!=data", []), ("size=*", ["/acme/data/b"]), ("size=l*", ["/acme/data/b"]),
        ("size!=large", ["/acme/data/a"]), ("$identity=processingunit", []),
    ])
    func byTags(expression: String, expected: [String]) throws {
        let snapshot = snapshot(
            .unit("/acme/shop/client", ["role=a"]), .unit("/acme/shop/other"),
            service("/acme/data/a", 1, tags: ["tier=data"]), service("/acme/data/b", 2, tags: ["tier=data", "size=large"]),
            .dependency("/acme/policy", subject: [["role=a"]], object: [[expression]], propagate: true))
        #expect(try seen(snapshot, "/acme/shop/client") == expected)
        #expect(try seen(snapshot, "/acme/shop/other") == [])
    }

    @Test("a dependency policy reaches services of its namespace, below it, and those that propagate to it; none beside or above")
    func reach() throws {
        let snapshot = snapshot(
            .namespace("/", services: .disabled), .unit("/acme/shop/client"),
            .dependency("/acme/shop/policy", subject: anyone, object: [["$identity=service"]]),
            service("/acme/shop/a", 1), service("/acme/shop/eu/b", 2), service("/acme/bank/c", 3, propagate: true),
            service("/acme/d", 4), service("/acme/e", 5, propagate: true))
        #expect(try seen(snapshot, "/acme/shop/client") == ["/acme/shop/a", "/acme/shop/eu/b", "/acme/e"])
    }

    @Test("a dependency policy holds below its namespace only with propagate", arguments: [true, false])
    func propagation(propagate: Bool) throws {
        let snapshot = snapshot(
            .unit("/acme/client"), .unit("/acme/shop/client"), .unit("/client"), service("/acme/data/a", 1),
            .dependency("/acme/policy", subject: anyone, object: [["$name=a"]], propagate: propagate))
        #expect(try seen(snapshot, "/acme/client") == ["/acme/data/a"])
        #expect(try seen(snapshot, "/acme/shop/client") == (propagate ? ["/acme/data/a"] : []))
        #expect(try seen(snapshot, "/client") == [])
    }

    @Test("a fallback dependency policy holds only where no other does; the default dependency is no other")
    func fallback() throws {
        let snapshot = snapshot(
            .unit("/acme/client", ["role=a"]), .unit("/acme/other"), service("/acme/own", 1), service("/acme/data/a", 2), service("/acme/data/b", 3),
            .dependency("/acme/fallback", subject: anyone, object: [["$name=a"]], fallback: true),
            .dependency("/acme/proper", subject: [["role=a"]], object: [["$name=b"]]),
            .dependency("/acme/off", subject: anyone, object: [["$name=b"]], disabled: true))
        #expect(try seen(snapshot, "/acme/client") == ["/acme/own", "/acme/data/b"])
        #expect(try seen(snapshot, "/acme/other") == ["/acme/own", "/acme/data/a"])
    }

    @Test("a dependency policy that comes, changes and goes changes what is seen and planned")
    func change() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/acme/client"), service("/acme/data/a", 1), service("/acme/data/b", 2)], removes: [])
        #expect(try seen(compiler.compile(), "/acme/client") == [])
        for name in ["a", "b"] {
            _ = compiler.apply(upserts: [.dependency("/acme/policy", subject: anyone, object: [["$name=\(name)"]])], removes: [])
            let snapshot = compiler.compile()
            #expect(try seen(snapshot, "/acme/client") == ["/acme/data/\(name)"])
            #expect(try snapshot.unit("/acme/client").plan.frontends.map(\.description) == [name == "a" ? "10.0.0.1:80" : "10.0.0.2:80"])
        }
        _ = compiler.apply(upserts: [], removes: [PolicyKey(.serviceDependencyPolicy, "/acme/policy")])
        #expect(try compiler.compile().unit("/acme/client").plan.frontends.isEmpty)
    }
}
