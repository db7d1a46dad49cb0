// A root and its key, in memory: what signs enforcers' intermediates.

import Crypto
import X509

/// A root CA that can sign.
public struct RootAuthority: Sendable {
    /// Ten years: a root is replaced by `sallyport ca rotate`, not by running out.
    public static let lifetime: Int64 = 10 * 365 * 86400

    public let facts: AuthorityFacts
    let certificate: Certificate
    let key: P256.Signing.PrivateKey

    /// A new root with a new key.
    /// - Parameter now: Seconds since 1970.
    /// - Throws: `PKIError.request` if `trustDomain` cannot be one.
    public init(trustDomain: String, now: Int64, lifetime: Int64 = RootAuthority.lifetime) throws {
        guard SPIFFEID.isTrustDomain(trustDomain) else {
            throw PKIError.request(
                "\(trustDomain.quoted) is not a trust domain; use lower-case letters, digits, '.', '-' and '_', such as \"example.org\"")
        }
        let key = P256.Signing.PrivateKey()
        let draft = try CertificateDraft.root(
            trustDomain: trustDomain, key: .init(key.publicKey), now: now, lifetime: lifetime)
        try self.init(certificate: draft.signed(by: .init(key), issuer: nil), key: key)
    }

    /// - Throws: `PKIError` if the certificate is not a root, or the key is not its key.
    init(certificate: Certificate, key: P256.Signing.PrivateKey) throws {
        facts = try AuthorityFacts(decoding: certificate.der, as: .root)
        guard P256.Signing.PublicKey(certificate.publicKey)?.rawRepresentation == key.publicKey.rawRepresentation else {
            throw PKIError.certificate("the root's key and certificate do not belong together")
        }
        self.certificate = certificate
        self.key = key
    }

    /// The root's certificate.
    public var der: [UInt8] { get throws { try certificate.der } }

    /// A new intermediate with a new key.
    /// - Parameters:
    ///   - name: Of the enforcer, at most 40 characters of a SPIFFE path segment.
    ///   - namespaces: What it may speak for, everything below included.
    ///   - now: Seconds since 1970.
    ///   - lifetime: Seconds; no longer than the root's own is given.
    /// - Throws: `PKIError.request`, saying what cannot be issued and why.
    public func issueEnforcer(
        _ name: String, namespaces: [NamespacePath], now: Int64, lifetime: Int64 = EnforcerAuthority.lifetime
    ) throws -> EnforcerAuthority {
        // It becomes part of a common name, which has at most 64 characters (RFC 5280, ub-common-name), and the name of a folder.
        guard SPIFFEID.isSegment(name), name.utf8.count <= 40 else {
            throw PKIError.request("\(name.quoted) cannot name an enforcer; use at most 40 letters, digits, '.', '-' and '_'")
        }
        guard (1...AuthorityFacts.maximumNamespaces).contains(namespaces.count) else {
            throw PKIError.request("an enforcer speaks for 1 to \(AuthorityFacts.maximumNamespaces) namespaces, not for \(namespaces.count)")
        }
        guard facts.validity.notAfter > now else {
            throw PKIError.request("the root has expired; make a new one with `sallyport ca rotate`")
        }
        let key = P256.Signing.PrivateKey()
        var draft = try CertificateDraft.enforcer(
            name, trustDomain: facts.trustDomain, namespaces: namespaces, key: .init(key.publicKey), now: now, lifetime: lifetime)
        draft.validity = Validity(
            notBefore: draft.validity.notBefore, notAfter: min(draft.validity.notAfter, facts.validity.notAfter))
        return try EnforcerAuthority(certificate: draft.signed(by: .init(self.key), issuer: certificate), key: key)
    }
}
