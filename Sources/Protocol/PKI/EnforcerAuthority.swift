// An enforcer's intermediate and its key, in memory: what signs the leaves of a node.

import Crypto
import SwiftASN1
import X509

/// A leaf and what a peer needs to verify it.
public struct IssuedCertificate: Sendable, Equatable {
    /// DER, the leaf first, then each issuer up to but without the root.
    public let chain: [[UInt8]]
    public let spiffeID: SPIFFEID
    public let validity: Validity
}

/// An enforcer's CA that can sign.
public struct EnforcerAuthority: Sendable {
    /// A year, so that a node left alone drops out and a copied key does not serve for ever.
    public static let lifetime: Int64 = 365 * 86400

    public let facts: AuthorityFacts
    let certificate: Certificate
    let key: P256.Signing.PrivateKey

    /// - Throws: `PKIError` if the certificate is not an enforcer's, or the key is not its key.
    init(certificate: Certificate, key: P256.Signing.PrivateKey) throws {
        facts = try AuthorityFacts(decoding: certificate.der, as: .enforcer)
        guard P256.Signing.PublicKey(certificate.publicKey)?.rawRepresentation == key.publicKey.rawRepresentation else {
            throw PKIError.certificate("the enforcer's key and intermediate do not belong together")
        }
        self.certificate = certificate
        self.key = key
    }

    /// The intermediate.
    public var der: [UInt8] { get throws { try certificate.der } }

    /// Names this issuer: the SHA-256 of its certificate in hexadecimal.
    public var issuerID: String { get throws { SHA256.hash(data: try certificate.der).hex } }

    /// A leaf for a processing unit.
    /// - Parameters:
    ///   - tags: All its tags; put in order here.
    ///   - publicKey: DER SubjectPublicKeyInfo, P-256.
    ///   - now: Seconds since 1970.
    ///   - lifetime: Seconds; the leaf ends with the intermediate if that ends sooner.
    /// - Throws: `PKIError.request`, saying what cannot be issued and what to do.
    public func issue(
        namespace: NamespacePath, name: String, tags: [String], publicKey: [UInt8], now: Int64, lifetime: Int64
    ) throws -> IssuedCertificate {
        let id = try SPIFFEID(trustDomain: facts.trustDomain, namespace: namespace, name: name)
        guard facts.maySpeak(for: namespace) else {
            throw PKIError.request(
                """
                this enforcer may not speak for namespace \(namespace), only for \(facts.namespaces.map(\.description).joined(separator: ", ")); \
                give it the namespace with `sallyport ca enforcer NAME --namespace`
                """)
        }
        guard facts.validity.notAfter > now else {
            throw PKIError.request("the enforcer's intermediate has expired; renew it with `sallyport ca enforcer NAME`")
        }
        let tags = try TagList.canonical(tags)
        do {
            try LeafFacts.check(tags, agreeWith: id)
        } catch {
            throw PKIError.request(error.description)
        }
        guard let key = try? Certificate.PublicKey(derEncoded: publicKey), P256.Signing.PublicKey(key) != nil else {
            throw PKIError.request("the public key is not a DER SubjectPublicKeyInfo on the curve P-256")
        }
        var draft = try CertificateDraft.processingUnit(id, tags: tags, key: key, now: now, lifetime: lifetime)
        draft.validity = Validity(
            notBefore: max(draft.validity.notBefore, facts.validity.notBefore),
            notAfter: min(draft.validity.notAfter, facts.validity.notAfter))
        let leaf = try draft.signed(by: .init(self.key), issuer: certificate)
        return IssuedCertificate(chain: [try leaf.der, try der], spiffeID: id, validity: draft.validity)
    }
}
