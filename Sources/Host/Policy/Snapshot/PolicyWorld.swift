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
        var place = (number: Int32(-1), isExact: false)
        var claims = 0
        for tag in tags where tag.utf8.first == UInt8(ascii: "$") && tag.hasPrefix(prefix) {
            claims += 1
            // Whoever claims two places is in neither.
            place = claims == 1 ? namespaces.nearest(String(tag.dropFirst(prefix.count))) : (-1, false)
        }
        return PeerTags(
            tags: tags, atoms: atoms.satisfied(by: tags), namespace: place.number, isExactNamespace: place.isExact, epoch: epoch)
    }
}
