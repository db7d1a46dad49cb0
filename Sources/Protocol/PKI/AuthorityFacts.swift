// What a CA's certificate says: a root, or an enforcer's intermediate.

import Crypto
import SwiftASN1
import X509

/// A certificate that signs others. Reading one says nothing about who signed it.
public struct AuthorityFacts: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case root, enforcer }

    /// As many as tags, for the same reason.
    public static let maximumNamespaces = 256

    public let trustDomain: String
    /// What it may speak for, everything below included, sorted; `["/"]` for a root.
    public let namespaces: [NamespacePath]
    public let validity: Validity

    private static let known: Set<ASN1ObjectIdentifier> = [
        .X509ExtensionID.basicConstraints, .X509ExtensionID.keyUsage, .X509ExtensionID.extendedKeyUsage,
        .X509ExtensionID.subjectAlternativeName,
    ]

    /// Reads a root's or an enforcer's certificate.
    /// - Parameter der: One certificate.
    /// - Throws: `PKIError.certificate` where it does not follow the profile (docs/identity.md, "Certificates"), `.identity`
    ///   where its trust domain or its namespaces are missing or malformed.
    public init(decoding der: [UInt8], as kind: Kind) throws(PKIError) {
        let what = kind == .root ? "the root" : "the enforcer's intermediate"
        let parsed = try ParsedCertificate(
            der, known: kind == .root ? Self.known : Self.known.union([.enforcerNamespaces]), what: what)
        let key = parsed.certificate.publicKey
        guard P256.Signing.PublicKey(key) != nil || P384.Signing.PublicKey(key) != nil else {
            throw .certificate("\(what) has a key that is neither on the curve P-256 nor on P-384")
        }
        guard case .isCertificateAuthority(let length) = try parsed.read("basic constraints", what, { try $0.basicConstraints })
        else { throw .certificate("\(what) is no CA (its basic constraints do not say so)") }
        guard let usage = try parsed.read("key usage", what, { try $0.keyUsage }), usage.keyCertSign else {
            throw .certificate("\(what) may not sign certificates (its key usage does not say so)")
        }
        try parsed.requireBothUsages(what, mayBeAbsent: true)
        trustDomain = try SPIFFEID.trustDomain(in: parsed.uri)
        validity = parsed.validity

        let selfIssued = parsed.certificate.issuer == parsed.certificate.subject
        switch kind {
        case .root:
            guard selfIssued else { throw .certificate("the root's issuer is not the root itself") }
            namespaces = [.root]
        case .enforcer:
            guard !selfIssued else { throw .certificate("the enforcer's intermediate is self-signed") }
            guard length == 0 else { throw .certificate("the enforcer's intermediate may sign further CAs (its path length is not 0)") }
            namespaces = try Self.namespaces(parsed.certificate)
        }
    }

    /// Whether a processing unit of `namespace` may have its certificate from here.
    public func maySpeak(for namespace: NamespacePath) -> Bool { namespaces.contains { $0.contains(namespace) } }

    private static func namespaces(_ certificate: Certificate) throws(PKIError) -> [NamespacePath] {
        let what = "the enforcer's namespaces extension"
        guard let found = certificate.extensions[oid: .enforcerNamespaces] else {
            throw .identity("the enforcer's intermediate does not say which namespaces it may speak for")
        }
        guard found.critical else { throw .identity("\(what) is not critical") }
        let texts = try TextSequence.decode(found.value, maximum: maximumNamespaces, what: what)
        guard !texts.isEmpty else { throw .identity("\(what) is empty") }
        var paths: [NamespacePath] = []
        for text in texts {
            guard let path = try? NamespacePath(text) else { throw .identity("\(what) holds \(text.quoted), which is not a path") }
            paths.append(path)
        }
        guard zip(paths, paths.dropFirst()).allSatisfy(<) else { throw .identity("\(what) is not sorted, or names one twice") }
        return paths
    }
}
