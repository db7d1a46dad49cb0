// Whoever is at the other end, in the integers of one snapshot.

/// A peer's tags interned against one snapshot. Units of another snapshot intern them again, at some cost.
public struct PeerTags: Sendable {
    /// `key=value` each, as they were given.
    public let tags: [String]
    /// Atoms satisfied, sorted; empty for a peer of whom nothing is known, which only default actions match.
    let atoms: [UInt32]
    /// The namespace of its `$namespace` tag or the nearest above that policy knows; -1 for none.
    let namespace: Int32
    /// `namespace` is the very one.
    let isExactNamespace: Bool
    /// Says which numbers these are: `PolicyWorld.epoch`.
    let epoch: UInt64

    /// Nobody known: matches no rule.
    public static let unknown = PeerTags(tags: [], atoms: [], namespace: -1, isExactNamespace: false, epoch: 0)
}
