// External networks by wildcard: who an address belongs to, by its confirmed names.

import Linux
import Policy
import Support
import Testing

@Suite struct WildcardTests {
    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    private func network(_ snapshot: PolicySnapshot, _ names: String..., at text: String = "192.0.2.1", for unit: String = "/a/server") throws -> String? {
        let address = try address(text)
        let match = try snapshot.with(names: [address: names]).network(text, for: unit)
        return match.map { "\($0.namespace)/\($0.name)" }
    }

    @Test("a wildcard has the names below its domain, at any depth, in any case of its document, and neither the domain nor its likes", arguments: [
        ("a.partner.example", true), ("a.b.c.partner.example", true), ("partner.example", false), ("notpartner.example", false),
        ("partner.example.net", false), ("example", false), ("", false), (".partner.example", true),
    ])
    func below(name: String, matches: Bool) throws {
        let snapshot = snapshot(.unit("/a/server"), .externalNetwork("/a/x", ["*.Partner.EXAMPLE"]))
        #expect(snapshot.domains == ["partner.example"])
        #expect(try network(snapshot, name) == (matches ? "/a/x" : nil))
        #expect(try network(snapshot, "other.net", name) == (matches ? "/a/x" : nil))
    }

    @Test("the address itself is more specific than a wildcard, a longer wildcard than a shorter one, any wildcard than a block")
    func specific() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .externalNetwork("/a/all", ["0.0.0.0/0"]), .externalNetwork("/a/half", ["192.0.2.0/31"]), .externalNetwork("/a/one", ["192.0.2.9"]),
            .externalNetwork("/a/long", ["*.b.partner.example"]), .externalNetwork("/a/a-short", ["*.partner.example"]))
        #expect(try network(snapshot, "x.partner.example") == "/a/a-short")
        #expect(try network(snapshot, "x.b.partner.example") == "/a/long")
        #expect(try network(snapshot, "x.partner.example", "x.b.partner.example") == "/a/long")
        #expect(try network(snapshot, "x.b.partner.example", at: "192.0.2.9") == "/a/one")
        #expect(try network(snapshot, "x.other.example") == "/a/half")
        #expect(try network(snapshot, at: "198.51.100.1") == "/a/all")
    }

    @Test("a resolved name counts as the address itself")
    func resolved() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/server"), .externalNetwork("/a/name", ["api.example"]), .externalNetwork("/a/a-wild", ["*.partner.example"])], removes: [])
        compiler.setAddresses(PolicyKey(.externalNetwork, "/a/name"), [ResolvedAddress(name: "api.example", address: try address("192.0.2.1"))])
        #expect(try network(compiler.compile(), "x.partner.example") == "/a/name")
    }

    @Test("of equal wildcards the nearest namespace's has the name, then the first by name; those of other namespaces do not count")
    func scope() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .unit("/a/b/server"), .unit("/c/server"), .externalNetwork("/a/far", ["*.example"], propagate: true),
            .externalNetwork("/a/b/z", ["*.example"]), .externalNetwork("/a/b/y", ["*.example"]), .externalNetwork("/a/hidden", ["*.partner.example"]))
        #expect(try network(snapshot, "x.partner.example", for: "/a/b/server") == "/a/b/y")
        #expect(try network(snapshot, "x.partner.example") == "/a/hidden")
        #expect(try network(snapshot, "x.other.example") == "/a/far")
        #expect(try network(snapshot, "x.partner.example", for: "/c/server") == nil)
    }

    @Test("what a network excludes it does not have by name either, and the next one by its wildcard does")
    func excluded() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .externalNetwork("/a/all", ["0.0.0.0/0"]),
            .externalNetwork("/a/a", ["192.0.2.0/24", "!192.0.2.1", "!192.0.2.4/31", "*.b.partner.example"]),
            .externalNetwork("/a/b", ["*.partner.example"]), .externalNetwork("/a/c", ["*.b.partner.example"]))
        #expect(try network(snapshot, "x.b.partner.example", at: "192.0.2.2") == "/a/a")
        #expect(try network(snapshot, "x.b.partner.example", at: "192.0.2.1") == "/a/c")
        #expect(try network(snapshot, "x.b.partner.example", at: "192.0.2.5") == "/a/c")
        #expect(try network(snapshot, "x.partner.example", at: "192.0.2.1") == "/a/b")
        #expect(try network(snapshot, at: "192.0.2.1") == "/a/all")
    }

    private let ports = FlowPorts(target: 80, dialled: 80)

    @Test("names are needed where a wildcard in sight has an address, until they are known, and not of one that a network has itself or excludes")
    func needed() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .unit("/c/server"), .externalNetwork("/a/x", ["*.partner.example", "192.0.2.0/24", "!192.0.2.8"], tags: ["in=yes"]),
            .externalNetwork("/a/some", ["192.0.2.0/23", "192.0.2.9"]), .ruleset("/a/rules", incoming: [.allow([["in=yes"]])]))
        func lacks(_ client: String, for unit: String = "/a/server", known: String...) throws -> Bool {
            let names = known.isEmpty ? [:] : [try address(client): known]
            return try snapshot.with(names: names).lacksNames(of: try address(client), for: try snapshot.unit(unit), ports)
        }
        #expect(try lacks("192.0.3.1") && lacks("2001:db8::1"))
        #expect(try !lacks("192.0.3.1", for: "/c/server"))
        #expect(try !lacks("192.0.2.9"))
        #expect(try !lacks("192.0.2.8"))
        #expect(try !lacks("192.0.3.1", known: "x.partner.example"))
    }

    @Test("names are not needed where whoever comes is let in at this port, or nobody is")
    func indifferent() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .externalNetwork("/a/x", ["*.partner.example"], tags: ["net=x"]), .externalNetwork("/a/all", ["0.0.0.0/0"], tags: ["net=all"]),
            .ruleset("/a/rules", incoming: [
                .allow([["net=x"]], ["tcp/80", "tcp/81"]), .allow([["net=all"]], ["tcp/81", "tcp/82"]), .reject([["net=x"]], ["tcp/82"]),
            ]))
        let (client, unit) = (try address("192.0.2.1"), try snapshot.unit("/a/server"))
        for (port, isNeeded) in [(80, true), (81, false), (82, true), (83, false)] as [(UInt16, Bool)] {
            #expect(snapshot.lacksNames(of: client, for: unit, FlowPorts(target: port, dialled: port)) == isNeeded, "\(port)")
        }
    }

    @Test("other names change who a unit's peers are, and nothing else of a snapshot")
    func names() throws {
        let snapshot = snapshot(.unit("/a/server"), .externalNetwork("/a/x", ["*.partner.example"], tags: ["k=v"]))
        let named = snapshot.with(names: [try address("192.0.2.1"): ["x.partner.example"]])
        #expect(named.generation == snapshot.generation && named.units.map(\.key) == snapshot.units.map(\.key))
        #expect(try named.network("192.0.2.1", for: "/a/server")?.externalTags.contains("k=v") == true)
        #expect(try snapshot.network("192.0.2.1", for: "/a/server") == nil)
        #expect(named.explain(from: "/a/server", to: "192.0.2.1:80").steps.contains { $0.text.contains("external network /a/x") })
    }

    @Test("who may have a name that a Reject rule is about is found by that rule, of the ports it is about; default actions and Allow rules are not")
    func unknown() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .unit("/c/server"), .externalNetwork("/a/bad", ["*.bad.example", "192.0.2.0/24", "!192.0.2.9"], tags: ["trust=none"]),
            .externalNetwork("/a/good", ["*.good.example"], tags: ["trust=some"]),
            .ruleset("/a/rules", incoming: [.reject([["trust=none"]], ["tcp/80"]), .allow([["trust=some"]])]))
        let unit = try snapshot.unit("/a/server")
        let (client, excluded) = (try address("192.0.2.1"), try address("192.0.2.9"))
        #expect(unit.rejection(ofUnknownNames: client, ports)?.text == "rejected by /a/rules#0")
        #expect(unit.rejection(ofUnknownNames: client, FlowPorts(target: 81, dialled: 81)) == nil)
        #expect(unit.rejection(ofUnknownNames: excluded, ports) == nil)
        #expect(try snapshot.unit("/c/server").rejection(ofUnknownNames: client, ports) == nil)
    }

    @Test("a wildcard that leaves a network takes its names with it")
    func gone() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/server"), .externalNetwork("/a/x", ["*.old.example", "192.0.2.0/24"])], removes: [])
        #expect(compiler.compile().domains == ["old.example"])
        _ = compiler.apply(upserts: [.externalNetwork("/a/x", ["*.new.example"])], removes: [])
        let snapshot = compiler.compile()
        #expect(snapshot.domains == ["new.example"])
        #expect(try network(snapshot, "x.old.example") == nil && network(snapshot, "x.new.example") == "/a/x")
        _ = compiler.apply(upserts: [], removes: [PolicyKey(.externalNetwork, "/a/x")])
        #expect(compiler.compile().domains.isEmpty)
    }
}
