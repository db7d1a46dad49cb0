// The external networks of one namespace: found by an address, and by the names of one.

import Linux

final class ExternalTable: Sendable {
    let blocks: AddressRanges
    let wildcards: WildcardTable

    init(_ networks: [ExternalNetwork]) {
        // By name, so that of networks with the same entry the first by name wins.
        let networks = networks.sorted { $0.name < $1.name }
        blocks = AddressRanges(networks.lazy.map { AddressRanges.Owner(number: $0.id, included: $0.included, excluded: $0.excluded) })
        wildcards = WildcardTable(networks)
    }
}
