// Whoever is at the other end, in the integers of one snapshot.

/// A peer's tags interned against one snapshot. Meaningful only with that snapshot's units.
public struct PeerTags: Sendable {
    /// Atoms satisfied, sorted; empty for a peer of whom nothing is known, which only default actions match.
    let atoms: [UInt32]
    /// The value of its `$namespace` tag.
    let namespace: String

    /// Nobody known: matches no rule.
    public static let unknown = PeerTags(atoms: [], namespace: "")
}

/// The external network that an address belongs to.
public struct ExternalMatch: Sendable {
    public let tags: PeerTags
    public let namespace: String
    public let name: String
    /// All its tags: `$…` derived ones and its own, sorted.
    public let externalTags: [String]
}
