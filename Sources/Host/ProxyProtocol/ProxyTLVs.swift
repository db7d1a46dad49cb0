// What a version 2 header says besides addresses: type-length-value fields (proxy-protocol.txt, 2.2.1 to 2.2.8).

/// One field that this module does not read, as it came.
public struct ProxyTLV: Equatable, Sendable {
    /// The SPIFFE ID of the client, as text, which enforcers tell the application. The first of the 16 types that the
    /// specification leaves to applications (2.2.8).
    public static let spiffeID: UInt8 = 0xe0

    public var type: UInt8
    public var value: [UInt8]

    public init(type: UInt8, value: [UInt8]) {
        self.type = type
        self.value = value
    }
}

/// The fields of a version 2 header that are kept. Padding is not, and a checksum is `ProxyHeader.hasChecksum`.
public struct ProxyTLVs: Equatable, Sendable {
    /// The longest `uniqueID` (2.2.5).
    public static let uniqueIDLimit = 128

    /// 0x01: the application protocol that client and sender agreed on (RFC 7301), such as "h2".
    public var alpn: [UInt8]?
    /// 0x02: the host name that the client asked for, in TLS its SNI.
    public var authority: String?
    /// 0x05: names the connection across several proxies; at most `uniqueIDLimit` bytes.
    public var uniqueID: [UInt8]?
    /// 0x20: the TLS between client and sender.
    public var ssl: ProxySSL?
    /// 0x30: the name of the sender's network namespace.
    public var networkNamespace: String?
    /// 0xEA with subtype 1: the AWS VPC endpoint through which the client came, such as "vpce-08d2bf15fac5001c9".
    public var vpcEndpointID: String?
    /// All others, in their order: unknown types, types of applications, other subtypes of 0xEA.
    public var others: [ProxyTLV] = []

    public init() {}
}

/// What the sender says of the TLS between the client and itself (2.2.6).
public struct ProxySSL: Equatable, Sendable {
    /// What the client did.
    public struct Client: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// It connected with TLS.
        public static let tls = Client(rawValue: 1)
        /// It presented a certificate on this connection.
        public static let certificateOnConnection = Client(rawValue: 2)
        /// It presented a certificate at least once in this TLS session.
        public static let certificateInSession = Client(rawValue: 4)
    }

    public var client: Client
    /// 0 if the client presented a certificate that the sender verified.
    public var verify: UInt32
    /// 0x21, such as "TLSv1.3".
    public var version: String?
    /// 0x22: the common name in the client's certificate.
    public var commonName: String?
    /// 0x23, such as "ECDHE-RSA-AES128-GCM-SHA256".
    public var cipher: String?
    /// 0x24: with what the sender's certificate is signed, such as "RSA-SHA256".
    public var signatureAlgorithm: String?
    /// 0x25: the key in the sender's certificate, such as "RSA2048".
    public var keyAlgorithm: String?
    /// 0x26: the key exchange, such as "secp256r1".
    public var group: String?
    /// 0x27: with what the sender signed the handshake, such as "rsa_pss_rsae_sha256".
    public var signatureScheme: String?
    /// All others, in their order; the client's certificate (0x28) among them.
    public var others: [ProxyTLV] = []

    public init(client: Client, verify: UInt32) {
        self.client = client
        self.verify = verify
    }
}

/// The types that are read.
enum TLVType {
    static let alpn: UInt8 = 0x01
    static let authority: UInt8 = 0x02
    static let checksum: UInt8 = 0x03
    static let padding: UInt8 = 0x04
    static let uniqueID: UInt8 = 0x05
    static let ssl: UInt8 = 0x20
    static let networkNamespace: UInt8 = 0x30
    static let aws: UInt8 = 0xea
    static let awsVPCEndpoint: UInt8 = 1
    /// Type and length.
    static let header = 3

    /// Within 0x20 the one text that is UTF-8; the others are US-ASCII (2.2.6).
    static let commonName: UInt8 = 0x22
    /// The fields within 0x20 that are text, where they go, and the specification's name of each.
    static let sslTexts: [(type: UInt8, name: String, path: WritableKeyPath<ProxySSL, String?> & Sendable)] = [
        (0x21, "TLS version", \.version), (commonName, "common name", \.commonName), (0x23, "cipher", \.cipher),
        (0x24, "signature algorithm", \.signatureAlgorithm), (0x25, "key algorithm", \.keyAlgorithm), (0x26, "group", \.group),
        (0x27, "signature scheme", \.signatureScheme),
    ]
}
