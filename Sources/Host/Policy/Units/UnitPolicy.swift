// All that policy says about one local PU.

import Linux
import SallyportProtocol

/// One PU under one snapshot. Immutable; every call may be made from any thread and takes no lock.
public final class UnitPolicy: Sendable {
    public let key: UnitKey
    public let type: UnitType
    /// All tags, sorted: the user's, `$…` derived, `@…` set by the system, `@org:…` inherited.
    public let tags: [String]
    public let networkNamespace: UnitNetworkNamespace
    /// cgroup v2 path relative to the mount; empty unless a HostService.
    public let cgroup: String
    public let addresses: [IPAddress]
    /// Never `.inherit`.
    public var onPolicyChange: OnPolicyChange { settings.onPolicyChange }
    /// Never `.inherit`.
    public var failureMode: FailureMode { settings.failureMode }
    public let plan: UnitPlan

    let world: PolicyWorld
    let namespace: Int32
    let settings: NamespaceSettings
    let rules: UnitRules
    let visible: NumberSet
    /// By target port, each list with the service that decides a tie first.
    private let served: [(port: UInt16, services: [Service])]
    /// By public port, the service that decides a tie.
    private let published: [(port: UInt16, service: Service)]
    /// Services whose public port it does not serve, since there it serves another.
    let publicPortsTaken: [TakenPublicPort]
    /// Of its namespace and those above, the nearest first.
    private let external: [ExternalTable]

    init(_ record: UnitRecord, tags: [String], rules: UnitRules, visible: NumberSet, frontends: Set<PlannedFrontend>, served: [Int32], world: PolicyWorld) {
        let tree = world.state.namespaces
        key = UnitKey(namespace: tree[record.namespace].path, name: record.name)
        type = record.type
        self.tags = tags
        networkNamespace = record.local?.networkNamespace ?? .host
        cgroup = record.local?.cgroup ?? ""
        addresses = record.addresses
        self.world = world
        namespace = record.namespace
        settings = tree.settings[Int(record.namespace)]
        self.rules = rules
        self.visible = visible
        let services = served.compactMap { world.state.services[$0] }.sorted {
            world.state.services.nearer($0, $1, record.namespace, tree) === $0
        }
        self.served = Dictionary(grouping: services, by: \.targetPort).map { (port: $0.key, services: $0.value) }
        // Where another service has its target, that one is served: peers must not be led to the wrong port.
        let targets = Set(self.served.map(\.port))
        var published: [UInt16: Service] = [:]
        var taken: [TakenPublicPort] = []
        for service in services where service.publicPort != 0 {
            if targets.contains(service.publicPort), let other = services.first(where: { $0.targetPort == service.publicPort }) {
                taken.append(TakenPublicPort(loser: service, winner: other, unit: key))
            } else if let other = published[service.publicPort] {
                taken.append(TakenPublicPort(loser: service, winner: other, unit: key))
            } else {
                published[service.publicPort] = service
            }
        }
        self.published = published.map { (port: $0.key, service: $0.value) }
        publicPortsTaken = taken
        plan = UnitPlan(
            frontends: frontends, servedPorts: targets, publicPorts: Set(published.keys),
            deliversAsClient: services.contains(where: \.deliversAsClient))
        external = world.state.externalNetworks.tables(for: record.namespace, tree)
    }

    /// The service whose frontend the PU dials, or the one it reaches by dialling a PU's address and target port
    /// directly; nil where the PU sees no such service.
    public func service(dialled: SocketAddress) -> DialledService? {
        world.state.services.find(dialled, visible: visible, from: namespace, world.state.namespaces)
    }

    /// What a service of an earlier snapshot has become; nil where the PU sees it no longer.
    public func service(following earlier: Service) -> Service? {
        guard visible.contains(earlier.id), let service = world.state.services[earlier.id], service.path == earlier.path else { return nil }
        return service
    }

    /// The services that this PU implements on a port, the one that decides a tie first: nearest namespace, then name.
    public func services(targetPort: UInt16) -> [Service] {
        for entry in served where entry.port == targetPort { return entry.services }
        return []
    }

    /// The service whose public port this is: of several the one that decides a tie.
    public func service(publicPort: UInt16) -> Service? {
        for entry in published where entry.port == publicPort { return entry.service }
        return nil
    }

    /// Whether policy lets a flow of this PU through, on this side.
    ///
    /// - Parameters:
    ///   - direction: `.outgoing` where this PU is the client.
    ///   - peer: The other end. Fastest when this unit's snapshot interned it.
    public func decide(_ direction: Direction, peer: PeerTags, ports: FlowPorts) -> Decision {
        let atoms = peer.epoch == world.epoch ? peer.atoms : world.intern(peer.tags).atoms
        return switch direction {
        case .outgoing: rules.outgoing.decide(atoms, ports, default: settings.outgoing)
        case .incoming: rules.incoming.decide(atoms, ports, default: settings.incoming)
        }
    }

    /// Before the dial, while the server PU is not known: refuses only if every PU that could implement the service
    /// would be refused.
    ///
    /// - Parameter service: Of this unit's snapshot; another one is left to the decision about the PU that answers.
    public func decide(dialling service: Service) -> Decision {
        let ports = FlowPorts(target: service.targetPort, dialled: service.port)
        let target = service.target
        var refusal: Decision?
        for (clause, tags) in zip(target.clauses, service.presumedTags) where world.state.services[service.id] === service {
            let presumed = PresumedPeer(clause, tags: tags, atoms: world.state.atoms)
            let decision = rules.outgoing.presume(presumed, ports, default: settings.outgoing)
            if decision.allowed { return decision }
            refusal = refusal ?? decision
        }
        return refusal ?? Decision(allowed: true, decidedBy: settings.outgoing.reference, observed: nil, observedAllowed: true)
    }

    /// Whether a peer is one of the PUs that implement a service: its tags match the target selector, and the service
    /// holds in the namespace that its `$namespace` tag names.
    ///
    /// - Parameter service: Of this unit's snapshot; another one has no such PU.
    public func satisfies(_ peer: PeerTags, targetOf service: Service) -> Bool {
        let peer = peer.epoch == world.epoch ? peer : world.intern(peer.tags)
        guard peer.namespace >= 0, world.state.services[service.id] === service, service.target.matches(peer.atoms) else { return false }
        if peer.isExactNamespace && peer.namespace == service.scope { return true }
        return service.propagate && world.state.namespaces.isWithin(peer.namespace, service.scope)
    }

    /// The external network that has an address, among those that hold for this PU: one with the address itself, then one with
    /// a wildcard above one of its names, the longest first, then the longest prefix.
    /// - Parameter names: Of the address, confirmed.
    func external(_ address: IPAddress, named names: [String]) -> ExternalMatch? {
        let best = block(address)
        if best.prefix < 128 && !names.isEmpty, let network = network(of: address, named: names) { return world.externalMatch(network) }
        return best.network < 0 ? nil : world.externalMatch(best.network)
    }

    /// Whether the names of an address may change the verdict on a connection from it: were it in a network with a wildcard, it would be
    /// let in and is not, or the other way round.
    func hangsOnNames(of address: IPAddress, _ ports: FlowPorts) -> Bool {
        let networks = networksByName(of: address)
        if networks.isEmpty { return false }
        let isAllowed = decide(.incoming, peer: external(address, named: [])?.tags ?? .unknown, ports: ports).allowed
        return networks.contains { decide(.incoming, peer: $0.tags, ports: ports).allowed != isAllowed }
    }

    /// A peer whose names cannot be found out may be in any network with a wildcard.
    /// - Returns: The Reject rule that would hold for it there; nil if there is none. Default actions do not count, or all that is let in by
    ///   address would hang on DNS.
    public func rejection(ofUnknownNames address: IPAddress, _ ports: FlowPorts) -> Decision? {
        for network in networksByName(of: address) {
            let decision = decide(.incoming, peer: network.tags, ports: ports)
            if !decision.allowed && !decision.decidedBy.isDefault { return decision }
        }
        return nil
    }

    /// The networks that may have an address by its names: they have wildcards, and neither has another the address itself nor do they exclude it.
    private func networksByName(of address: IPAddress) -> [ExternalMatch] {
        if external.allSatisfy(\.wildcards.networks.isEmpty) || block(address).prefix == 128 { return [] }
        return external.flatMap(\.wildcards.networks).compactMap(world.externalMatch).filter { !$0.network.excludes(address) }
    }

    private func block(_ address: IPAddress) -> ExternalTable.Match {
        var best = ExternalTable.Match.none
        for table in external {
            let match = table.find(address)
            if match.prefix > best.prefix { best = match }
        }
        return best
    }

    private func network(of address: IPAddress, named names: [String]) -> Int32? {
        var best: WildcardTable.Match?
        func mayHave(_ network: Int32) -> Bool { world.state.externalNetworks.networks[network]?.excludes(address) == false }
        for table in external {
            if let match = table.wildcards.find(names, where: mayHave), match.length > best?.length ?? 0 { best = match }
        }
        return best?.network
    }
}
