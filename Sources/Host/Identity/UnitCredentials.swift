// What a local processing unit proves itself with.

/// A processing unit's certificate and key, never changed: a renewal is a new object.
public final class UnitCredentials: Sendable {
    /// DER, the leaf first, then each issuer up to but without the root.
    public let chain: [[UInt8]]
    /// DER PKCS#8.
    public let privateKey: [UInt8]
    public let spiffeID: String
    /// Seconds since 1970.
    public let notBefore: Int64
    public let notAfter: Int64
    /// The issuer in force when this was asked for; see `TrustBundle.issuer_id` of plugin.proto.
    public let issuerID: String

    public init(chain: [[UInt8]], privateKey: [UInt8], spiffeID: String, notBefore: Int64, notAfter: Int64, issuerID: String) {
        self.chain = chain
        self.privateKey = privateKey
        self.spiffeID = spiffeID
        self.notBefore = notBefore
        self.notAfter = notAfter
        self.issuerID = issuerID
    }
}
