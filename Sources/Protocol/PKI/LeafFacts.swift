// What a processing unit's certificate says.

import Crypto
import SwiftASN1
import X509

/// A leaf: one processing unit, its tags, its dates. Reading one says nothing about who signed it.
public struct LeafFacts: Sendable, Equatable {
    public let spiffeID: SPIFFEID
    /// `key=value`, sorted by their bytes, each once.
    public let tags: [String]
    public let validity: Validity
    /// DER SubjectPublicKeyInfo.
    public let publicKey: [UInt8]

    private static let known: Set<ASN1ObjectIdentifier> = [
        .X509ExtensionID.basicConstraints, .X509ExtensionID.keyUsage, .X509ExtensionID.extendedKeyUsage,
        .X509ExtensionID.subjectAlternativeName, .processingUnitTags,
    ]

    /// Reads a leaf.
    /// - Parameter der: One certificate.
    /// - Throws: `PKIError.certificate` where it does not follow the profile (docs/identity.md, "Certificates"), `.identity`
    ///   where its SPIFFE ID or its tags are missing, malformed, or say different things.
    public init(decoding der: [UInt8]) throws(PKIError) {
        let what = "the leaf"
        let parsed = try ParsedCertificate(der, known: Self.known, what: what)
        guard let key = P256.Signing.PublicKey(parsed.certificate.publicKey) else {
            throw .certificate("the leaf's key is not on the curve P-256")
        }
        if case .isCertificateAuthority = try parsed.read("basic constraints", what, { try $0.basicConstraints }) {
            throw .certificate("the leaf is a CA")
        }
        // X509-SVID.md, section 4.3: a leaf signs sessions, and neither certificates nor revocation lists.
        guard let usage = try parsed.read("key usage", what, { try $0.keyUsage }), usage.digitalSignature,
            !usage.keyCertSign, !usage.cRLSign
        else { throw .certificate("the leaf's key usage is not digital signature alone") }
        try parsed.requireBothUsages(what, mayBeAbsent: false)
        publicKey = Array(key.derRepresentation)

        spiffeID = try SPIFFEID(parsed.uri)
        validity = parsed.validity
        guard let tagged = parsed.certificate.extensions[oid: .processingUnitTags] else {
            throw .identity("the leaf of \(spiffeID) has no tags extension")
        }
        tags = try TextSequence.decode(tagged.value, maximum: TagList.maximumCount, what: "the tags extension of \(spiffeID)")
        if let problem = TagList.problem(in: tags) { throw .identity("in the leaf of \(spiffeID), \(problem)") }
        try Self.check(tags, agreeWith: spiffeID)
    }

    /// The tags that selectors take a processing unit's place from must say what its SPIFFE ID says: policy is
    /// written with tags, and the limits of an enforcer are checked on the SPIFFE ID.
    static func check(_ tags: [String], agreeWith id: SPIFFEID) throws(PKIError) {
        // By bytes: as strings, "K" and the Kelvin sign are equal, and "=" with a combining accent is no "=".
        for (key, value) in [("$namespace=", id.namespace.description), ("$name=", id.name)] {
            let found = tags.filter { $0.utf8.starts(with: key.utf8) }
            guard found.count == 1, found[0].utf8.elementsEqual((key + value).utf8) else {
                throw .identity("the tags of \(id) should have \((key + value).quoted) once, and have \(found.prefix(3).map(\.quoted))")
            }
        }
        let identities = tags.filter { $0.utf8.starts(with: "$identity=".utf8) }
        if let other = identities.first(where: { !$0.utf8.elementsEqual("$identity=processingunit".utf8) }) {
            throw .identity("the tags of \(id) have \(other.quoted), where only $identity=processingunit may be")
        }
    }
}
