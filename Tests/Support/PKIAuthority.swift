// A CA in memory that gives any test certificates for processing units, good ones and bad ones.

import Crypto
import Linux
import PKI
import X509

/// What a processing unit presents in a test.
public struct TestCredentials: Sendable {
    /// DER, the leaf first.
    public var chain: [[UInt8]]
    /// DER PKCS#8.
    public var privateKey: [UInt8]
    public var spiffeID: String
    /// Seconds since 1970, of the leaf.
    public var notBefore: Int64
    public var notAfter: Int64
}

/// A root and one enforcer's intermediate.
public struct TestAuthority: Sendable {
    public let trustDomain: String
    let rootKey: P256.Signing.PrivateKey
    let root: Certificate
    let enforcerKey: P256.Signing.PrivateKey
    let enforcer: Certificate

    /// Seconds since 1970, by this machine's clock: what a real TLS session compares with.
    public static var now: Int64 { clinux_realtime() / 1_000_000_000 }

    /// - Parameters:
    ///   - namespaces: What the enforcer may speak for.
    ///   - sharing: Another authority whose root signs this one's enforcer.
    public init(
        trustDomain: String = "test.example", namespaces: [String] = ["/"], sharing other: TestAuthority? = nil, now: Int64 = TestAuthority.now,
        lifetime: Int64 = 86400
    ) throws {
        self.trustDomain = trustDomain
        rootKey = other?.rootKey ?? P256.Signing.PrivateKey()
        root = try other?.root ?? CertificateDraft.root(
            trustDomain: trustDomain, key: .init(rootKey.publicKey), now: now, lifetime: lifetime
        ).signed(by: .init(rootKey), issuer: nil)
        enforcerKey = P256.Signing.PrivateKey()
        enforcer = try CertificateDraft.enforcer(
            "node", trustDomain: trustDomain, namespaces: namespaces.map { try NamespacePath($0) }, key: .init(enforcerKey.publicKey),
            now: now, lifetime: lifetime
        ).signed(by: .init(rootKey), issuer: root)
    }

    /// An enforcer more below the root of a CA's folder (`sallyport ca init`): what it issues, the daemons of that CA trust.
    public init(folder: String, trustDomain: String, namespaces: [String] = ["/"], now: Int64 = TestAuthority.now) throws {
        self.trustDomain = trustDomain
        rootKey = try P256.Signing.PrivateKey(pemRepresentation: try text(of: folder + "/root.key"))
        root = try Certificate(pemEncoded: try text(of: folder + "/root.pem"))
        enforcerKey = P256.Signing.PrivateKey()
        enforcer = try CertificateDraft.enforcer(
            "forged", trustDomain: trustDomain, namespaces: namespaces.map { try NamespacePath($0) }, key: .init(enforcerKey.publicKey),
            now: now, lifetime: 86400
        ).signed(by: .init(rootKey), issuer: root)
    }

    /// A new key's DER SubjectPublicKeyInfo.
    public static func publicKey() throws -> [UInt8] { Array(P256.Signing.PrivateKey().publicKey.derRepresentation) }

    /// The trust bundle, DER.
    public var roots: [[UInt8]] { get throws { [try root.der] } }

    /// Certificate and key of a processing unit.
    /// - Parameters:
    ///   - tags: Besides `$identity`, `$namespace` and `$name`, which every one gets.
    ///   - publicKey: DER SubjectPublicKeyInfo to certify; nil makes a new key.
    ///   - flaw: What is wrong with it; nil for nothing.
    public func issue(
        _ namespace: String, _ name: String, tags: [String] = [], publicKey: [UInt8]? = nil, flaw: CertificateFlaw? = nil,
        now: Int64 = TestAuthority.now, lifetime: Int64 = 3600
    ) throws -> TestCredentials {
        let id = try SPIFFEID(trustDomain: trustDomain, namespace: NamespacePath(namespace), name: name)
        let tags = try TagList.canonical(tags + ["$identity=processingunit", "$namespace=\(namespace)", "$name=\(name)"])
        let key = P256.Signing.PrivateKey()
        let certified = try publicKey.map { try Certificate.PublicKey(derEncoded: $0) } ?? .init(key.publicKey)
        let draft = try CertificateDraft.processingUnit(id, tags: tags, key: certified, now: now, lifetime: lifetime)
        let chain: [[UInt8]]
        if let flaw {
            chain = try flaw.chain(of: draft, id: id, key: key, authority: self, now: now)
        } else {
            chain = [try draft.signed(by: .init(enforcerKey), issuer: enforcer).der, try enforcer.der]
        }
        return TestCredentials(
            chain: chain, privateKey: Array(key.derRepresentation), spiffeID: id.description, notBefore: draft.validity.notBefore,
            notAfter: draft.validity.notAfter)
    }
}

private func text(of path: String) throws -> String {
    let file = try Descriptor(opening: path, flags: O_RDONLY)
    return contents(of: file.raw)
}
