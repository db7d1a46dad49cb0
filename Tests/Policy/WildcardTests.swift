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

    @Test("an address or block is more specific than a wildcard, a longer wildcard than a shorter one, any wildcard than all addresses")
    func specific() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .externalNetwork("/a/all", ["0.0.0.0/0", "::/0"]), .externalNetwork("/a/half", ["198.51.100.0/24", "128.0.0.0/2", "2001::/16"]),
            .externalNetwork("/a/one", ["192.0.2.9"]), .externalNetwork("/a/long", ["*.b.partner.example"]), .externalNetwork("/a/a-short", ["*.partner.example"]))
        #expect(try network(snapshot, "x.partner.example") == "/a/a-short")
        #expect(try network(snapshot, "x.b.partner.example") == "/a/long")
        #expect(try network(snapshot, "x.partner.example", "x.b.partner.example") == "/a/long")
        #expect(try network(snapshot, "x.b.partner.example", at: "192.0.2.9") == "/a/one")
        for address in ["198.51.100.1", "129.0.0.1", "2001:db8::1"] { #expect(try network(snapshot, "x.b.partner.example", at: address) == "/a/half") }
        #expect(try network(snapshot, "x.other.example") == "/a/all")
        #expect(try network(snapshot, "x.partner.example", at: "fd00::1") == "/a/a-short")
        #expect(try network(snapshot, at: "fd00::1") == "/a/all")
    }

    @Test("what a network excludes it does not have by any name, unless it includes it again inside; another network may have it")
    func excluded() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .externalNetwork("/a/all", ["0.0.0.0/0"]),
            .externalNetwork("/a/x", ["10.0.0.0/8", "!10.1.0.0/16", "10.1.2.0/24", "!10.9.9.9", "2001:db8::/32", "!2001:db8::7", "*.b.partner.example"]))
        for address in ["10.1.0.1", "10.9.9.9"] { #expect(try network(snapshot, "x.b.partner.example", at: address) == "/a/all", "\(address)") }
        #expect(try network(snapshot, "x.b.partner.example", at: "2001:db8::7") == nil)
        for address in ["10.1.2.1", "10.9.9.8", "2001:db8::8", "192.0.2.1"] {
            #expect(try network(snapshot, "x.b.partner.example", at: address) == "/a/x", "\(address)")
        }
    }

    @Test("an exclusion leaves the address to the next network by wildcard: with the same one, or with a shorter one")
    func excludedFromOne() throws {
        let first = PolicyObject.externalNetwork("/a/a", ["10.0.0.0/8", "!10.9.9.9", "*.b.partner.example"])
        let same = snapshot(.unit("/a/server"), first, .externalNetwork("/a/b", ["*.b.partner.example"]))
        let shorter = snapshot(.unit("/a/server"), first, .externalNetwork("/a/b", ["*.partner.example"]))
        for snapshot in [same, shorter] {
            #expect(try network(snapshot, "x.b.partner.example", at: "10.9.9.9") == "/a/b")
            #expect(try network(snapshot, "x.b.partner.example", at: "192.0.2.1") == "/a/a")
        }
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

    @Test("a decision hangs on names where a network by wildcard may have the address and its rules say otherwise, and nowhere else")
    func needed() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .unit("/c/server"), .externalNetwork("/a/good", ["10.0.0.0/8", "!10.9.9.9", "*.partner.example"], tags: ["trust=some"]),
            .externalNetwork("/a/all", ["0.0.0.0/0"], tags: ["trust=none"]), .externalNetwork("/a/some", ["192.0.2.0/24"]),
            .ruleset("/a/rules", incoming: [
                .allow([["trust=some"]], ["tcp/80", "tcp/443"]), .allow([["trust=none"]], ["tcp/80", "tcp/25"]), .reject([["trust=some"]], ["tcp/25"]),
            ]))
        func hangs(_ text: String, _ port: UInt16, for unit: String = "/a/server") throws -> Bool {
            try snapshot.unit(unit).hangsOnNames(of: try address(text), ports: FlowPorts(target: port, dialled: port))
        }
        for client in ["198.51.100.1", "2001:db8::1"] { #expect(try hangs(client, 443), "\(client)") }
        // Allowed with a name as without, refused with one, refused either way.
        #expect(try !hangs("198.51.100.1", 80) && hangs("198.51.100.1", 25) && !hangs("198.51.100.1", 22))
        // In a network by block; excluded; and of a unit that sees no wildcard.
        for client in ["192.0.2.1", "10.0.0.1", "10.9.9.9"] { #expect(try !hangs(client, 443), "\(client)") }
        #expect(try !hangs("198.51.100.1", 443, for: "/c/server"))
    }

    @Test("other names change who a unit's peers are, and nothing else of a snapshot")
    func names() throws {
        let snapshot = snapshot(.unit("/a/server"), .externalNetwork("/a/x", ["*.partner.example"], tags: ["k=v"]))
        let named = snapshot.with(names: [try address("192.0.2.1"): ["x.partner.example"]])
        #expect(named.generation == snapshot.generation && named.units.map(\.key) == snapshot.units.map(\.key))
        #expect(try named.network("192.0.2.1", for: "/a/server")?.externalTags.contains("k=v") == true)
        #expect(try snapshot.network("192.0.2.1", for: "/a/server") == nil)
        func explained(_ snapshot: PolicySnapshot) -> [String] { snapshot.explain(from: "/a/server", to: "192.0.2.1:80").steps.map(\.text) }
        #expect(explained(named).contains("192.0.2.1 is in the external network /a/x by its name, x.partner.example"))
        #expect(explained(snapshot).contains {
            $0.hasPrefix("192.0.2.1 is in no external network, unless it has a name that is in one, such as /a/x: names are known of clients that have connected;")
        })
    }

    @Test("who may have a name that a Reject rule is about is found by that rule, of the ports it is about; default actions and Allow rules are not")
    func unknown() throws {
        let snapshot = snapshot(
            .unit("/a/server"), .unit("/c/server"), .externalNetwork("/a/bad", ["10.0.0.0/8", "!10.9.9.9", "*.bad.example"], tags: ["trust=none"]),
            .externalNetwork("/a/good", ["*.good.example"], tags: ["trust=some"]),
            .ruleset("/a/rules", incoming: [.reject([["trust=none"]], ["tcp/80"]), .allow([["trust=some"]])]))
        func rejection(_ unit: String, _ text: String, _ port: UInt16) throws -> String? {
            try snapshot.unit(unit).rejection(ofUnknownName: try address(text), ports: FlowPorts(target: port, dialled: port))?.text
        }
        #expect(try rejection("/a/server", "192.0.2.1", 80) == "rejected by /a/rules#0")
        #expect(try rejection("/a/server", "192.0.2.1", 81) == nil && rejection("/c/server", "192.0.2.1", 80) == nil)
        #expect(try rejection("/a/server", "10.9.9.9", 80) == nil && rejection("/a/server", "10.0.0.1", 80) == nil)
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
