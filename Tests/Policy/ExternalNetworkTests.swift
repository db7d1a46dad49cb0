// External networks: who an address belongs to.

import Linux
import Policy
import Support
import Testing

@Suite struct ExternalNetworkTests {
    private func network(_ snapshot: PolicySnapshot, _ address: String, for unit: String = "/a/client") throws -> String? {
        let match = try snapshot.network(address, for: unit)
        return match.map { ($0.namespace == "/" ? "" : $0.namespace) + "/" + $0.name }
    }

    @Test("the most specific entry has the address, and what a network excludes it does not have")
    func specific() throws {
        let snapshot = snapshot(
            .unit("/a/client"), .externalNetwork("/a/all", ["0.0.0.0/0", "::/0"]), .externalNetwork("/a/ten", ["10.0.0.0/8", "!10.1.0.0/16", "10.1.2.0/24"]),
            .externalNetwork("/a/one", ["10.1.2.3", "2001:db8::/32", "!2001:db8:1::/48"]))
        for (address, expected) in [
            ("192.0.2.1", "/a/all"), ("10.0.0.1", "/a/ten"), ("10.1.0.1", "/a/all"), ("10.1.2.1", "/a/ten"), ("10.1.2.3", "/a/one"), ("10.1.2.4", "/a/ten"),
            ("10.2.0.0", "/a/ten"), ("9.255.255.255", "/a/all"), ("11.0.0.0", "/a/all"), ("255.255.255.255", "/a/all"), ("0.0.0.0", "/a/all"),
            ("2001:db8::1", "/a/one"), ("2001:db8:1::1", "/a/all"), ("2001:db8:2::", "/a/one"), ("::", "/a/all"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "/a/all"),
        ] { #expect(try network(snapshot, address) == expected, "\(address)") }
    }

    @Test("addresses outside every network belong to none")
    func outside() throws {
        let snapshot = snapshot(.unit("/a/client"), .externalNetwork("/a/x", ["192.0.2.0/25", "2001:db8::/127", "255.255.255.255", "::"]))
        for address in ["192.0.1.255", "192.0.2.128", "2001:db8::2", "255.255.255.254", "::1", "0.0.0.0", "::ffff:0:0"] {
            #expect(try network(snapshot, address) == nil, "\(address)")
        }
        for address in ["192.0.2.0", "192.0.2.127", "2001:db8::1", "255.255.255.255", "::"] { #expect(try network(snapshot, address) == "/a/x") }
    }

    @Test("a network holds in its namespace, with propagate below; of equal entries the nearest namespace's wins, then the name")
    func scope() throws {
        let snapshot = snapshot(
            .unit("/a/client"), .unit("/a/b/client"), .unit("/c/client"), .externalNetwork("/a/own", ["10.0.0.0/8"]),
            .externalNetwork("/a/shared", ["10.0.0.0/8", "11.0.0.0/8"], propagate: true), .externalNetwork("/a/b/near", ["11.0.0.0/8", "10.0.0.0/7"]),
            .externalNetwork("/a/b/name", ["11.0.0.0/8"]), .externalNetwork("/root", ["0.0.0.0/0"], propagate: true))
        #expect(try network(snapshot, "10.0.0.1") == "/a/own")
        #expect(try network(snapshot, "11.0.0.1") == "/a/shared")
        #expect(try network(snapshot, "10.0.0.1", for: "/a/b/client") == "/a/shared")
        #expect(try network(snapshot, "11.0.0.1", for: "/a/b/client") == "/a/b/name")
        #expect(try network(snapshot, "10.0.0.1", for: "/c/client") == "/root")
    }

    @Test("rules match external networks by their tags, derived ones too", arguments: [
        "$identity=externalnetwork", "$name=partners", "$namespace=/a", "trust=some",
    ])
    func tags(expression: String) throws {
        let snapshot = snapshot(
            .unit("/a/client"), .externalNetwork("/a/partners", ["192.0.2.0/24"], tags: ["trust=some"]), .externalNetwork("/b/x", ["0.0.0.0/0"]),
            .ruleset("/a/rules", outgoing: [.allow([[expression]])]))
        let unit = try snapshot.unit("/a/client")
        let match = try #require(try snapshot.network("192.0.2.1", for: "/a/client"))
        #expect(match.externalTags == ["$identity=externalnetwork", "$name=partners", "$namespace=/a", "trust=some"])
        #expect(unit.decide(.outgoing, peer: match.tags, ports: FlowPorts(target: 80, dialled: 80)).text == "allowed by /a/rules#0")
    }

    @Test("names match the addresses they are resolved to, until others are told")
    func names() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        let found = compiler.apply(
            upserts: [.unit("/a/client"), .externalNetwork("/a/x", ["192.0.2.1", "api.example.com", "*.example.com"])], removes: [])
        #expect(found.isEmpty)
        let snapshot = compiler.compile()
        #expect(try network(snapshot, "192.0.2.1") == "/a/x")
        #expect(try network(snapshot, "198.51.100.7") == nil)

        let key = PolicyKey(.externalNetwork, "/a/x")
        func resolved(_ text: String) throws -> ResolvedAddress { ResolvedAddress(name: "api.example.com", address: try #require(IPAddress(text))) }
        let (first, second) = (try resolved("198.51.100.7"), try resolved("2001:db8::7"))
        compiler.setAddresses(key, [first, second])
        #expect(try network(compiler.compile(), "198.51.100.7") == "/a/x")
        // Another version of the document keeps what is known.
        _ = compiler.apply(upserts: [.externalNetwork("/a/x", ["api.example.com"], tags: ["k=v"])], removes: [])
        #expect(try network(compiler.compile(), "2001:db8::7") == "/a/x")
        compiler.setAddresses(key, [second])
        let last = compiler.compile()
        #expect(try network(last, "198.51.100.7") == nil && network(last, "2001:db8::7") == "/a/x" && network(last, "192.0.2.1") == nil)
    }

    @Test("a name that leaves a network takes its addresses with it, also when nobody tells of others")
    func nameGone() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/client"), .externalNetwork("/a/x", ["Old.example.com", "kept.example.com"])], removes: [])
        let addresses = [("old.example.com", "198.51.100.7"), ("kept.example.com", "198.51.100.8")]
        compiler.setAddresses(PolicyKey(.externalNetwork, "/a/x"), try addresses.map { ResolvedAddress(name: $0, address: try #require(IPAddress($1))) })
        #expect(try network(compiler.compile(), "198.51.100.7") == "/a/x")
        _ = compiler.apply(upserts: [.externalNetwork("/a/x", ["new.example.com", "kept.example.com"])], removes: [])
        let snapshot = compiler.compile()
        #expect(try network(snapshot, "198.51.100.7") == nil && network(snapshot, "198.51.100.8") == "/a/x")
        _ = compiler.apply(upserts: [.externalNetwork("/a/x", ["192.0.2.0/24"])], removes: [])
        #expect(try network(compiler.compile(), "198.51.100.8") == nil)
    }

    @Test("an exclusion holds for the addresses of the network's own names, too")
    func excludedName() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/client"), .externalNetwork("/a/x", ["192.0.2.0/24", "!192.0.2.0/28", "192.0.2.3", "api.example"])], removes: [])
        let addresses = ["192.0.2.1", "192.0.2.3", "192.0.2.20", "198.51.100.1"]
        compiler.setAddresses(PolicyKey(.externalNetwork, "/a/x"), try addresses.map { ResolvedAddress(name: "api.example", address: try #require(IPAddress($0))) })
        let snapshot = compiler.compile()
        #expect(try addresses.map { try network(snapshot, $0) } == [nil, "/a/x", "/a/x", "/a/x"])
    }

    @Test("a network that changes or goes is forgotten")
    func change() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: [.unit("/a/client"), .externalNetwork("/a/x", ["192.0.2.0/24"])], removes: [])
        #expect(try network(compiler.compile(), "192.0.2.1") == "/a/x")
        _ = compiler.apply(upserts: [.externalNetwork("/a/x", ["198.51.100.0/24"], tags: ["k=v"])], removes: [])
        var snapshot = compiler.compile()
        #expect(try network(snapshot, "192.0.2.1") == nil)
        #expect(try snapshot.network("198.51.100.1", for: "/a/client")?.externalTags.last == "k=v")
        _ = compiler.apply(upserts: [], removes: [PolicyKey(.externalNetwork, "/a/x")])
        snapshot = compiler.compile()
        #expect(try network(snapshot, "198.51.100.1") == nil)
    }

    @Test("random blocks, nested, excluded and side by side, give the answer of asking each")
    func random() throws {
        var random = SplitMix64(seed: 7)
        for round in 0..<60 {
            var networks: [(name: String, included: [CIDR], excluded: [CIDR])] = []
            for index in 0..<Int.random(in: 1...8, using: &random) {
                func block() -> CIDR {
                    // A small space, so that much overlaps; its ends, so that ranges touch the ends of all addresses.
                    let base = UInt32([0, 0x0a00_0000, 0xffff_ff00].randomElement(using: &random) ?? 0) | UInt32.random(in: 0...255, using: &random)
                    return CIDR(IPAddress(v4: base), prefix: 96 + Int.random(in: 24...32, using: &random))
                }
                let included = Set((0..<Int.random(in: 1...6, using: &random)).map { _ in block() })
                let excluded = Set((0..<Int.random(in: 0...4, using: &random)).map { _ in block() }).filter { exclusion in
                    included.contains { $0.contains(exclusion) } && !included.contains(exclusion)
                }
                networks.append(("n\(index)", Array(included), Array(excluded)))
            }
            var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
            let objects = networks.map { network in
                PolicyObject.externalNetwork("/a/\(network.name)", network.included.map(\.description) + network.excluded.map { "!\($0)" })
            }
            #expect(compiler.apply(upserts: [.unit("/a/client")] + objects.shuffled(using: &random), removes: []).isEmpty)
            let snapshot = compiler.compile()
            for high in [0, 0x0a00_0000, 0xffff_ff00] as [UInt32] {
                for low in 0...255 as ClosedRange<UInt32> {
                    let address = IPAddress(v4: high | low)
                    var expected: (prefix: Int, name: String)?
                    for network in networks {
                        guard let prefix = network.included.filter({ $0.contains(address) }).map(\.prefix).max(),
                            !network.excluded.contains(where: { $0.contains(address) && $0.prefix > prefix }), prefix > expected?.prefix ?? -1
                        else { continue }
                        expected = (prefix, network.name)
                    }
                    let found = try snapshot.external(address, for: snapshot.unit("/a/client"))?.name
                    #expect(found == expected?.name, "round \(round), \(address)")
                }
            }
        }
    }
}
