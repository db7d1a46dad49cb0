// What is measured.

import Linux
import Policy
import SallyportProtocol

func benchmark(_ cluster: Cluster) {
    let size = cluster.size
    print("\n\(size.units) processing units (\(size.locals) local), \(size.services) services, \(size.rulesets) rulesets; \(cluster.layout.rawValue)")
    var compiler = PolicyCompiler(enforcer: "node-0", hostname: "node-0")
    let before = residentMemory()
    row("take in all documents (checked)", load(cluster, into: &compiler), "s")
    var current: PolicySnapshot?
    row("compile the first snapshot", seconds { current = compiler.compile() }, "s")
    row("memory of compiler and snapshot", residentMemory() - before, "MiB")

    func change(_ name: String, _ make: (Int) -> Sallyport_Policy_V1_Object) {
        let times = (1...9).map { round in
            seconds {
                _ = compiler.apply(upserts: [make(round)], removes: [])
                current = compiler.compile()
            }
        }
        row("compile again after \(name)", times.sorted()[4] * 1000, "ms")
    }
    change("one PU of another node has changed") { cluster.unit(1, version: $0 + 1) }
    change("one local PU has changed") { cluster.unit(0, version: $0 + 1) }
    change("one service has another target") { round in
        var service = cluster.service(3)
        service.tcpService.target.port = UInt32(8080 + round)
        return service
    }
    change("one ruleset has another port") { cluster.ruleset(3, port: 8080 + $0) }
    change("one ruleset asks for a new tag") { round in
        var ruleset = cluster.ruleset(3)
        ruleset.networkRuleset.outgoing[0].object.anyOf[0].allOf.append("new=tag-\(round)")
        return ruleset
    }
    guard let snapshot = current else { return }
    decide(snapshot, size)
    dial(snapshot, size)
}

/// - Returns: Seconds, without those that making the documents takes.
private func load(_ cluster: Cluster, into compiler: inout PolicyCompiler) -> Double {
    var taken = 0.0
    func take(_ count: Int, _ make: (Int) -> Sallyport_Policy_V1_Object) {
        for first in stride(from: 0, to: count, by: 1000) {
            let documents = (first..<min(count, first + 1000)).map(make)
            taken += seconds { use(compiler.apply(upserts: documents, removes: [])) }
        }
    }
    take(cluster.size.services) { cluster.service($0) }
    take(cluster.size.rulesets) { cluster.ruleset($0) }
    take(cluster.size.units) { cluster.unit($0) }
    return taken
}

private func decide(_ snapshot: PolicySnapshot, _ size: ClusterSize) {
    let units = snapshot.units
    let tags = (0..<1024).map { index -> [String] in
        let app = index * 7 % size.services
        return [
            "$id=/acme/n\(app)/pu-\(app)", "$identity=processingunit", "$name=pu-\(app)", "$namespace=/acme/n\(app)", "$type=Container",
            "@os:hostname=node-7", "app=app-\(app)", "env=production", "team=team-\(app % 50)", "version=1", "zone=z\(app % 3)",
        ]
    }
    let peers = tags.map { snapshot.intern($0) }
    let ports = FlowPorts(target: 8080, dialled: 443)
    row("intern a peer's 11 tags", nanoseconds(100_000) { use(snapshot.intern(tags[$0 & 1023])) }, "ns")
    row("decide, outgoing", nanoseconds(1_000_000) { use(units[$0 % units.count].decide(.outgoing, peer: peers[$0 & 1023], ports: ports)) }, "ns")
    row("decide, incoming", nanoseconds(1_000_000) { use(units[$0 % units.count].decide(.incoming, peer: peers[$0 & 1023], ports: ports)) }, "ns")
    let services = snapshot.services
    row(
        "decide before the dial",
        nanoseconds(100_000) { use(units[$0 % units.count].decide(dialling: services[$0 * 31 % services.count])) }, "ns")
    row(
        "check that a server is a target",
        nanoseconds(1_000_000) { use(units[$0 % units.count].satisfies(peers[$0 & 1023], targetOf: services[$0 & 1023])) }, "ns")
}

private func dial(_ snapshot: PolicySnapshot, _ size: ClusterSize) {
    let units = snapshot.units
    let frontends = (0..<1024).map { index -> SocketAddress in
        let service = index * 7 % size.services
        return SocketAddress(IPAddress(v4: 0xac10_0000 | UInt32(service)), 443)
    }
    let addresses = (0..<1024).map { SocketAddress(IPAddress(v4: 0x0a00_0000 | UInt32($0 * 97 % size.units)), 8080) }
    row("look up the service of a frontend", nanoseconds(1_000_000) { use(units[$0 % units.count].service(dialled: frontends[$0 & 1023])) }, "ns")
    row("look up the service of a PU's address", nanoseconds(1_000_000) { use(units[$0 % units.count].service(dialled: addresses[$0 & 1023])) }, "ns")
}

func benchmarkExternalNetworks(count: Int) {
    print("\n\(count) CIDRs in 200 external networks, IPv4 and IPv6, some excluded")
    var compiler = PolicyCompiler(enforcer: "node-0", hostname: "node-0")
    let unit = Sallyport_Policy_V1_Object.with {
        $0.key.kind = .processingUnit
        $0.key.namespace = "/acme"
        $0.key.name = "pu"
        $0.processingUnit.type = .host
    }
    let networks = (0..<200).map { network in
        Sallyport_Policy_V1_Object.with {
            $0.key.kind = .externalNetwork
            $0.key.namespace = "/"
            $0.key.name = "network-\(network)"
            $0.externalNetwork.propagate = true
            // Four to a /24: the block, a part it excludes, a part within, and one of IPv6.
            $0.externalNetwork.entries = (network * count / 800..<(network + 1) * count / 800).flatMap { block in
                let base = "\(block >> 16 & 255).\(block >> 8 & 255).\(block & 255)"
                return ["\(base).0/24", "!\(base).64/26", "\(base).128/30", "2001:db8:\(String(block, radix: 16))::/48"]
            }
        }
    }
    let before = residentMemory()
    var refused = 0
    row("take in all documents (checked)", seconds { refused = compiler.apply(upserts: [unit] + networks, removes: []).count }, "s")
    if refused > 0 { print("  \(refused) problems") }
    var current: PolicySnapshot?
    row("compile", seconds { current = compiler.compile() }, "s")
    row("memory of compiler and snapshot", residentMemory() - before, "MiB")
    guard let snapshot = current, let local = snapshot.units.first else { return }
    var state: UInt64 = 1
    let addresses = (0..<4096).map { index -> IPAddress in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let number = UInt32(truncatingIfNeeded: state >> 33)
        return index % 10 == 0 ? IPAddress(high: 0x2001_0db8_0000_0000 | UInt64(number & 0xffff) << 16, low: 1) : IPAddress(v4: number & 0x00ff_ffff)
    }
    row("find the network of an address", nanoseconds(1_000_000) { use(snapshot.external(addresses[$0 & 4095], for: local)) }, "ns")
    row("of 4096 addresses are in one", Double(addresses.count { snapshot.external($0, for: local) != nil }), "")
}
