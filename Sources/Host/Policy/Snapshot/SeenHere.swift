// What this node's PUs may dial, and which addresses are PUs' own: for `sallyport doctor`.

import Linux
import SallyportProtocol

extension PolicySnapshot {
    /// The services that a local PU sees, by path, and where each is dialled.
    public func servicesSeenHere() -> [(service: Service, frontends: [Frontend])] {
        var seen = NumberSet()
        for unit in units { seen.formUnion(unit.visible) }
        return services.filter { seen.contains($0.id) }.map { ($0, world.state.services.frontends(of: $0)) }
    }

    /// Paths of the enabled services that have somewhere to be dialled.
    public var servicesWithFrontends: [String] {
        services.filter { !world.state.services.frontends(of: $0).isEmpty }.map(\.path)
    }

    /// Those of `addresses` that are a known PU's own.
    public func addressesOfUnits(among addresses: Set<IPAddress>) -> Set<IPAddress> {
        var found: Set<IPAddress> = []
        if addresses.isEmpty { return found }
        world.state.units.forEach { _, entry in
            for address in entry.record.addresses where addresses.contains(address) { found.insert(address) }
        }
        return found
    }
}
