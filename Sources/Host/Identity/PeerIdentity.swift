// Who is at the other end.

/// A verified peer. One object for each certificate and verifier, shared by all its flows.
public final class PeerIdentity: Sendable {
    /// "spiffe://example.org/ns/acme/shop/pu/web-1"
    public let spiffeID: String
    /// "/acme/shop"
    public let namespace: String
    public let name: String
    /// `key=value`, sorted by their bytes, each once.
    public let tags: [String]
    /// The first end of any certificate in the chain, seconds since 1970; refused five minutes after it.
    public let notAfter: Int64
    /// Of the leaf.
    public let digest: SHA256Digest

    public init(spiffeID: String, namespace: String, name: String, tags: [String], notAfter: Int64, digest: SHA256Digest) {
        self.spiffeID = spiffeID
        self.namespace = namespace
        self.name = name
        self.tags = tags
        self.notAfter = notAfter
        self.digest = digest
    }
}
