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

    /// The external network that has an address, among those that hold for this PU: the longest prefix, then the longest wildcard
    /// above one of its names, then all addresses.
    /// - Parameter names: Of the address, confirmed.
    func external(_ address: IPAddress, named names: [String]) -> ExternalMatch? {
        let block = block(address)
        if !block.isNarrow(around: address), !names.isEmpty, let network = network(named: names, of: address) { return world.externalMatch(network) }
        return block.network < 0 ? nil : world.externalMatch(block.network)
    }

    /// Whether the decision about a peer from outside, whose names are not known, may be another one for them.
    public func hangsOnNames(of address: IPAddress, ports: FlowPorts) -> Bool {
        let candidates = networks(mayName: address)
        if candidates.isEmpty { return false }
        let nameless = decide(.incoming, peer: external(address, named: [])?.tags ?? .unknown, ports: ports)
        return candidates.contains { decide(.incoming, peer: $0.tags, ports: ports).allowed != nameless.allowed }
    }

    /// A peer whose names cannot be found out may be in any network with a wildcard that does not exclude it.
    /// - Returns: The Reject rule that would hold for it there; nil if there is none. Default actions do not count, or all that is let in by
    ///   address would hang on DNS.
    public func rejection(ofUnknownName address: IPAddress, ports: FlowPorts) -> Decision? {
        networks(mayName: address).lazy.map { self.decide(.incoming, peer: $0.tags, ports: ports) }.first { !$0.allowed && !$0.decidedBy.isDefault }
    }

    /// The networks that an address may be in by a name, those of the nearest namespace first.
    func networks(mayName address: IPAddress) -> [ExternalMatch] {
        if !external.contains(where: { !$0.wildcards.networks.isEmpty }) || block(address).isNarrow(around: address) { return [] }
        return external.flatMap { $0.wildcards.networks.filter { !$0.excludes(address) }.compactMap { world.externalMatch($0.id) } }
    }

    private func block(_ address: IPAddress) -> AddressRanges.Match {
        var best = AddressRanges.Match.none
        for table in external {
            let match = table.blocks.find(address)
            if match.prefix > best.prefix { best = match }
        }
        return best
    }

    private func network(named names: [String], of address: IPAddress) -> Int32? {
        var best: WildcardTable.Match?
        for table in external {
            if let match = table.wildcards.find(names, of: address), match.length > best?.length ?? 0 { best = match }
        }
        return best?.network
    }
}
