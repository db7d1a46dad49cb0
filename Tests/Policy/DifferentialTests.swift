// The compiled form against the plain one, through random changes.

import Linux
import Policy
import Support
import Testing

@Suite struct DifferentialTests {
    @Test("compiled step by step, policy decides, sees and plans as worked out plainly from the documents", arguments: 0..<8 as Range<UInt64>)
    func differential(seed: UInt64) async throws {
        // Off the cooperative pool: other suites of the run have deadlines.
        try await onThread { try compareAll(seed: seed) }
    }

    private func compareAll(seed: UInt64) throws {
        var world = RandomPolicy(random: SplitMix64(seed: seed))
        for _ in 0..<12 {
            var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
            var naive = NaivePolicy()
            for step in 0..<12 {
                let upserts = world.some(step == 0 ? 10...30 : 0...4) { $0.object() }
                var removes: [PolicyKey] = []
                for key in naive.objects.keys.sorted(by: { "\($0)" < "\($1)" }) where world.chance(1, in: 20) { removes.append(key) }
                for key in removes {
                    naive.objects[key] = nil
                    naive.resolved[key] = nil
                }
                // Selectors that contradict themselves are refused; the plain form never hears of them.
                var accepted: [PolicyObject] = []
                var probe = PolicyCompiler(enforcer: "", hostname: "")
                for object in upserts where !probe.apply(upserts: [object], removes: []).contains(where: { $0.severity == .error }) { accepted.append(object) }
                _ = compiler.apply(upserts: upserts, removes: removes)
                for object in accepted { naive.objects[object.key] = object }
                if let service = naive.services().min(by: { naive.path($0.key) < naive.path($1.key) }), world.chance(1, in: 4) {
                    let frontends = world.some(0...2) { Frontend(cidr: CIDR($0.pick($0.addresses))!, port: UInt16($0.pick($0.ports))) } // The addresses above parse.
                    compiler.setFrontends(service.key, frontends)
                    naive.resolved[service.key] = frontends
                }
                try compare(compiler.compile(), naive, &world)
            }
        }
    }

    /// Ends with the first difference: what follows would say the same again.
    private func compare(_ snapshot: PolicySnapshot, _ naive: NaivePolicy, _ world: inout RandomPolicy) throws {
        let locals = naive.units().filter(naive.isLocal)
        try #require(snapshot.units.map(\.key.description) == locals.map { naive.path($0.key) })
        for object in locals {
            let unit = try snapshot.unit(naive.path(object.key))
            try #require(unit.tags == naive.tags(object))
            try #require(unit.plan == naive.plan(object))
            for port in world.ports.map(UInt16.init) {
                let served = naive.services().filter { UInt16($0.tcpService.target.port) == port && naive.implements(object, $0) }
                try #require(unit.services(targetPort: port).map(\.path) == naive.nearest(served, object))
                for text in world.addresses + ["10.0.0.77", "192.0.2.1"] {
                    let address = SocketAddress(try #require(IPAddress(text)), port)
                    let found = unit.service(dialled: address).map { $0.service.path + ($0.direct ? " directly" : "") }
                    try #require(found == naive.dialled(object, address), "\(unit.key) dials \(address)")
                }
            }
            for _ in 0..<12 {
                let peer = world.peer()
                let ports = FlowPorts(target: UInt16(world.pick(world.ports)), dialled: UInt16(world.pick(world.ports)))
                for direction in [Direction.incoming, .outgoing] {
                    let decision = unit.decide(direction, peer: snapshot.intern(peer), ports: ports)
                    let expected = naive.decide(object, direction, peer, ports)
                    try #require(decision.text == expected.text)
                    try #require(decision.observed.map { "\($0) \(decision.observedAllowed)" } == expected.observed)
                }
                for service in snapshot.services {
                    let interned = snapshot.intern(peer)
                    let key = PolicyKey(.tcpService, service.path)
                    guard let target = naive.objects[key]?.tcpService else { continue }
                    let place = peer.first { $0.hasPrefix("$namespace=") }.map { String($0.dropFirst(11)) } ?? ""
                    let isTarget = !place.isEmpty && naive.holds(key, target.propagate, in: place) && naive.matches(target.target.selector, peer)
                    try #require(unit.satisfies(interned, targetOf: service) == isTarget)
                    let own = FlowPorts(target: service.targetPort, dialled: service.port)
                    if isTarget && unit.decide(.outgoing, peer: interned, ports: own).allowed {
                        try #require(unit.decide(dialling: service).allowed, "refused before the dial, though a PU that answers would be allowed")
                    }
                }
            }
        }
    }

    @Test("policy that changes without end is built anew in time, decides the same and keeps what adapters said")
    func growth() async throws { try await onThread { try grow() } }

    private func grow() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(
            upserts: [
                .namespace("/acme", tags: ["env=prod"]), .unit("/acme/web", ["app=web"]), .unit("/acme/db", ["app=db"], at: ["10.1.0.1"], node: "n"),
                .service("/acme/db", target: [["app=db", "@org:env=prod"]], targetPort: 5432),
                .dependency("/acme/d", subject: anyone, object: [["$name=db"]]), .externalNetwork("/acme/x", ["192.0.2.0/24"]),
            ], removes: [])
        compiler.setFrontends(PolicyKey(.tcpService, "/acme/db"), [Frontend(cidr: try #require(CIDR("10.96.0.99")), port: 1)])
        var largest = 0
        for round in 0..<12 {
            for index in 0..<5000 {
                let tag = "app=version-\(round)-\(index)"
                _ = compiler.apply(
                    upserts: [.ruleset("/acme/r", outgoing: [.allow([[tag]]), .allow([["app=db"]])]), .unit("/acme/other", [tag], node: "n")], removes: [])
            }
            let snapshot = compiler.compile()
            largest = max(largest, compiler.retainedNumbers)
            #expect(try snapshot.decision("/acme/web", ["app=version-\(round)-4999"]) == "allowed by /acme/r#0")
            #expect(try snapshot.decision("/acme/web", ["app=db"]) == "allowed by /acme/r#1")
            #expect(try snapshot.dialled("/acme/web", "10.96.0.99:1") == "/acme/db")
            #expect(try snapshot.dialled("/acme/web", "10.1.0.1:5432") == "/acme/db directly")
            #expect(try snapshot.network("192.0.2.1", for: "/acme/web")?.name == "x")
            #expect(snapshot.generation == UInt64(round + 1))
        }
        // 60,000 atoms and as many tags went through it.
        #expect(largest < 60_000)
        _ = compiler.apply(upserts: [], removes: [PolicyKey(.networkRuleset, "/acme/r")])
        #expect(try compiler.compile().decision("/acme/web", ["app=db"]).hasPrefix("rejected"))
    }
}
