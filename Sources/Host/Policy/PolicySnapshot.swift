// Policy at one moment, immutable: what the data path and the control API read.

import Linux
import SallyportProtocol

public final class PolicySnapshot: Sendable {
    /// Rises by one with each compilation, from 1.
    public let generation: UInt64
    /// The local PUs, by namespace and name.
    public let units: [UnitPolicy]
    public let services: [Service]
    /// What is wrong with the documents or between them.
    public let problems: [Sallyport_Policy_V1_Problem]
    public let counts: PolicyCounts

    private let byKey: [UnitKey: UnitPolicy]
    private let atoms: TagAtoms
    private let external: [ExternalNetwork]

    struct ExternalNetwork: Sendable {
        let namespace: String
        let name: String
        let propagate: Bool
        let tags: [String]
        let peer: PeerTags
        let included: [CIDR]
        let excluded: [CIDR]
    }

    init(
        generation: UInt64, units: [UnitPolicy], services: [Service], problems: [Sallyport_Policy_V1_Problem], counts: PolicyCounts,
        atoms: TagAtoms, external: [ExternalNetwork]
    ) {
        self.generation = generation
        self.units = units
        self.services = services
        self.problems = problems
        self.counts = counts
        self.atoms = atoms
        self.external = external
        byKey = Dictionary(uniqueKeysWithValues: units.map { ($0.key, $0) })
    }

    /// A local PU.
    public func unit(_ key: UnitKey) -> UnitPolicy? { byKey[key] }

    /// Prepares a peer's tags, `key=value` each, for the decisions of this snapshot's units.
    public func intern(_ tags: [String]) -> PeerTags {
        PeerTags(
            atoms: atoms.satisfied(by: tags),
            namespace: tags.first { $0.hasPrefix("$namespace=") }.map { String($0.dropFirst("$namespace=".count)) } ?? "")
    }

    /// The external network that has `address`, among those that hold for `unit`: the most specific entry wins, then
    /// the nearest namespace, then the name. Nil if none has it; its peer is then `PeerTags.unknown`.
    public func external(_ address: IPAddress, for unit: UnitPolicy) -> ExternalMatch? {
        var best: (prefix: Int, distance: Int, network: ExternalNetwork)?
        for network in external where holds(network.namespace, propagate: network.propagate, in: unit.key.namespace) {
            guard let prefix = network.included.filter({ $0.contains(address) }).map(\.prefix).max(),
                !network.excluded.contains(where: { $0.contains(address) && $0.prefix >= prefix })
            else { continue }
            let steps = distance(network.namespace, unit.key.namespace)
            if let best, (best.prefix, -best.distance) >= (prefix, -steps) { continue }
            best = (prefix, steps, network)
        }
        return best.map {
            ExternalMatch(
                tags: $0.network.peer, namespace: $0.network.namespace, name: $0.network.name, externalTags: $0.network.tags)
        }
    }
}

/// How many objects of each kind are in force.
public struct PolicyCounts: Sendable, Equatable {
    public var namespaces = 0
    public var units = 0
    public var localUnits = 0
    public var services = 0
    public var dependencies = 0
    public var rulesets = 0
    public var externalNetworks = 0
}
