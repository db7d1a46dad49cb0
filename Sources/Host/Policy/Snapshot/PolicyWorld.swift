// What a snapshot and its units share.

import Linux
import SallyportProtocol

final class PolicyWorld: Sendable {
    let state: PolicyState
    /// The same in two worlds only if atoms and namespaces have the same numbers.
    let epoch: UInt64
    /// The tags of external networks, by their number.
    let networkTags: [Int32: PeerTags]

    /// - Parameter networkTags: Those of an earlier world, if they still hold.
    init(_ state: PolicyState, epoch: UInt64, networkTags: [Int32: PeerTags]? = nil) {
        self.state = state
        self.epoch = epoch
        if let networkTags {
            self.networkTags = networkTags
            return
        }
        var interned: [Int32: PeerTags] = [:]
        state.externalNetworks.networks.forEach { interned[$0] = state.intern($1.tags, epoch: epoch) }
        self.networkTags = interned
    }

    func intern(_ tags: [String]) -> PeerTags { state.intern(tags, epoch: epoch) }

    func externalMatch(_ network: Int32) -> ExternalMatch? {
        guard let found = state.externalNetworks.networks[network], let tags = networkTags[network] else { return nil }
        return ExternalMatch(tags: tags, network: found)
    }
}

extension PolicyState {
    fileprivate func intern(_ tags: [String], epoch: UInt64) -> PeerTags {
        let prefix = "$namespace="
        let paths = tags.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
        // Whoever claims two places is in neither.
        let place = paths.count == 1 ? namespaces.nearest(paths[0]) : (number: -1, isExact: false)
        return PeerTags(
            tags: tags, atoms: atoms.satisfied(by: tags), namespace: place.number, isExactNamespace: place.isExact, epoch: epoch)
    }
}
