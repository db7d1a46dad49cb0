// Policy at one moment, immutable: what the data path and the control API read.

import Linux
import SallyportProtocol

public final class PolicySnapshot: Sendable {
    /// Rises by one with each compilation, from 1.
    public let generation: UInt64
    /// The local PUs, by namespace and name.
    public let units: [UnitPolicy]
    /// The enabled services, by path.
    public let services: [Service]
    /// What is wrong with documents, or between them.
    public let problems: [Sallyport_Policy_V1_Problem]
    public let counts: PolicyCounts

    /// The confirmed names of addresses, in lower case: as far as they have been needed.
    public let names: [IPAddress: [String]]

    let world: PolicyWorld
    private let byKey: [UnitKey: UnitPolicy]

    init(
        generation: UInt64, units: [UnitPolicy], services: [Service], problems: [Problem], counts: PolicyCounts, world: PolicyWorld
    ) {
        self.generation = generation
        self.units = units
        self.services = services
        self.problems = problems
        self.counts = counts
        self.world = world
        names = [:]
        byKey = Dictionary(units.map { ($0.key, $0) }) { first, _ in first }
    }

    private init(_ other: PolicySnapshot, names: [IPAddress: [String]]) {
        generation = other.generation
        units = other.units
        services = other.services
        problems = other.problems
        counts = other.counts
        world = other.world
        byKey = other.byKey
        self.names = names
    }

    /// The same policy with other names of addresses. Compiles nothing: clients come more often than documents.
    public func with(names: [IPAddress: [String]]) -> PolicySnapshot { PolicySnapshot(self, names: names) }

    /// The domains of all external networks' wildcards: "example.com" of "*.example.com".
    public var domains: Set<String> { world.state.externalNetworks.domains }

    /// A local PU.
    public func unit(_ key: UnitKey) -> UnitPolicy? { byKey[key] }

    /// Prepares a peer's tags, `key=value` each, for the decisions of this snapshot's units.
    public func intern(_ tags: [String]) -> PeerTags { world.intern(tags) }

    /// The external network that has `address`, among those that hold for `unit`: the longest prefix wins, then the longest wildcard
    /// above one of its names, then all addresses (/0); of equals the nearest namespace's, then the first by name.
    /// Nil if none has it; its peer is then `PeerTags.unknown`.
    public func external(_ address: IPAddress, for unit: UnitPolicy) -> ExternalMatch? {
        unit.external(address, named: names[address] ?? [])
    }
}

/// How many objects of each kind are in force.
public struct PolicyCounts: Sendable, Equatable {
    /// Those with a document.
    public var namespaces = 0
    public var units = 0
    public var localUnits = 0
    public var services = 0
    public var dependencies = 0
    public var rulesets = 0
    public var externalNetworks = 0

    public init(
        namespaces: Int = 0, units: Int = 0, localUnits: Int = 0, services: Int = 0, dependencies: Int = 0, rulesets: Int = 0,
        externalNetworks: Int = 0
    ) {
        self.namespaces = namespaces
        self.units = units
        self.localUnits = localUnits
        self.services = services
        self.dependencies = dependencies
        self.rulesets = rulesets
        self.externalNetworks = externalNetworks
    }
}
