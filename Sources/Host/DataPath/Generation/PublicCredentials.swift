// What the public port of a service serves.

/// A certificate and its key, or the word that the enforcer ends no TLS.
public struct PublicCredentials: Sendable, Equatable {
    /// DER, the leaf first.
    public let chain: [[UInt8]]
    /// DER PKCS#8; the leaf's.
    public let privateKey: [UInt8]
    /// Seconds since 1970; the earliest of the chain. 0 with `passthrough`.
    public let notAfter: Int64
    /// Bytes pass as they are: the chain is empty, and there is no key.
    public let passthrough: Bool

    public init(chain: [[UInt8]], privateKey: [UInt8], notAfter: Int64) {
        self.chain = chain
        self.privateKey = privateKey
        self.notAfter = notAfter
        passthrough = false
    }

    private init() {
        chain = []
        privateKey = []
        notAfter = 0
        passthrough = true
    }

    public static let passthrough = PublicCredentials()
}
