// Every way in which a peer's certificate can be bad.

import Crypto
import PKI
import SallyportProtocol
import SwiftASN1
import X509

/// A defect of a chain, and what must be said of it.
public enum CertificateFlaw: String, CaseIterable, Sendable {
    case expired, notYetValid, enforcerExpired, enforcerNotYetValid
    case absent, selfSigned, selfSignedAlone, leafAlone, signatureBroken, trailingByte, garbage
    case foreignAuthority, enforcerOfAnotherRoot, signedByRootItself, rootSentToo, furtherAuthority
    case enforcerNotCA, enforcerMayNotSign, enforcerWithoutNamespaces, enforcerNamespacesNotCritical, enforcerNamespacesMalformed
    case unknownCriticalExtension, unknownCriticalExtensionOfEnforcer
    case otherTrustDomain, noSPIFFEID, noAlternativeName, twoSPIFFEIDs, anotherURI, notAUnitsSPIFFEID
    case noTags, tagsNotDER, tagsNotUTF8, tagWithoutValue, tagsOutOfOrder, tagTwice, tooManyTags
    case tagsOfAnotherUnit, tagsOfAnotherNamespace, secondNameTag, nameTagOfEqualLooks, notAProcessingUnit
    case outsideEnforcersNamespaces, leafIsCA, leafMaySignCertificates, clientOnly, serverOnly, leafOnP384

    public var expected: Sallyport_Flow_V1_Reason {
        switch self {
        case .expired, .enforcerExpired: .certificateExpired
        case .notYetValid, .enforcerNotYetValid: .certificateNotYetValid
        case .absent: .certificateMissing
        case .noSPIFFEID, .noAlternativeName, .twoSPIFFEIDs, .anotherURI, .notAUnitsSPIFFEID, .noTags, .tagsNotDER, .tagsNotUTF8,
            .tagWithoutValue, .tagsOutOfOrder, .tagTwice, .tooManyTags, .tagsOfAnotherUnit, .tagsOfAnotherNamespace, .secondNameTag,
            .nameTagOfEqualLooks, .notAProcessingUnit,
            .outsideEnforcersNamespaces, .enforcerWithoutNamespaces, .enforcerNamespacesNotCritical, .enforcerNamespacesMalformed:
            .certificateIdentity
        default: .certificateUntrusted
        }
    }

    func chain(
        of leaf: CertificateDraft, id: SPIFFEID, key: P256.Signing.PrivateKey, authority: TestAuthority, now: Int64
    ) throws -> [[UInt8]] {
        var leaf = leaf
        let enforcer = try authority.enforcer.der
        func signed() throws -> [UInt8] { try leaf.signed(by: .init(authority.enforcerKey), issuer: authority.enforcer).der }
        /// The leaf below an enforcer that is not quite one.
        func below(_ change: (inout CertificateDraft) throws -> Void) throws -> [[UInt8]] {
            var draft = try CertificateDraft.enforcer(
                "node", trustDomain: authority.trustDomain, namespaces: [.root], key: .init(authority.enforcerKey.publicKey), now: now,
                lifetime: 86400)
            try change(&draft)
            let bad = try draft.signed(by: .init(authority.rootKey), issuer: authority.root)
            return [try leaf.signed(by: .init(authority.enforcerKey), issuer: bad).der, try bad.der]
        }
        func tagged(_ tags: [String]) throws -> [[UInt8]] {
            leaf.replace(try CertificateDraft.processingUnit(id, tags: tags, key: leaf.publicKey, now: now, lifetime: 1).extensions.last)
            return [try signed(), enforcer]
        }
        let tags = ["$identity=processingunit", "$name=\(id.name)", "$namespace=\(id.namespace)"]
        let unknown = Certificate.Extension(oid: [1, 3, 6, 1, 4, 1, 58888, 99], critical: true, value: [0x05, 0x00])

        switch self {
        case .expired: leaf.validity = Validity(notBefore: now - 7200, notAfter: now - 3600)
        case .notYetValid: leaf.validity = Validity(notBefore: now + 3600, notAfter: now + 7200)
        case .enforcerExpired: return try below { $0.validity = Validity(notBefore: now - 7200, notAfter: now - 3600) }
        case .enforcerNotYetValid: return try below { $0.validity = Validity(notBefore: now + 3600, notAfter: now + 7200) }

        case .absent: return []
        case .selfSigned: return [try leaf.signed(by: .init(key), issuer: nil).der, enforcer]
        case .selfSignedAlone: return [try leaf.signed(by: .init(key), issuer: nil).der]
        case .leafAlone: return [try signed()]
        case .signatureBroken:
            var der = try signed()
            der[der.count - 1] ^= 1
            return [der, enforcer]
        case .trailingByte: return [try signed() + [0], enforcer]
        case .garbage: return [[0x30, 0x82, 0xff, 0xff] + Array("not a certificate".utf8), enforcer]

        case .foreignAuthority:
            let other = try TestAuthority(trustDomain: authority.trustDomain, now: now)
            return [try leaf.signed(by: .init(other.enforcerKey), issuer: other.enforcer).der, try other.enforcer.der]
        case .enforcerOfAnotherRoot:
            // The same names and key identifiers as the real ones; only the signature tells.
            let other = try TestAuthority(trustDomain: authority.trustDomain, now: now)
            let draft = try CertificateDraft.enforcer(
                "node", trustDomain: authority.trustDomain, namespaces: [.root], key: .init(authority.enforcerKey.publicKey), now: now,
                lifetime: 86400)
            return [try signed(), try draft.signed(by: .init(other.rootKey), issuer: authority.root).der]
        case .signedByRootItself: return [try leaf.signed(by: .init(authority.rootKey), issuer: authority.root).der, enforcer]
        case .rootSentToo: return [try signed(), enforcer, try authority.root.der]
        case .furtherAuthority:
            let further = P256.Signing.PrivateKey()
            let middle = try CertificateDraft.enforcer(
                "further", trustDomain: authority.trustDomain, namespaces: [.root], key: .init(further.publicKey), now: now, lifetime: 86400
            ).signed(by: .init(authority.enforcerKey), issuer: authority.enforcer)
            return [try leaf.signed(by: .init(further), issuer: middle).der, try middle.der, enforcer]

        case .enforcerNotCA:
            return try below { $0.replace(try Certificate.Extension(BasicConstraints.notCertificateAuthority, critical: true)) }
        case .enforcerMayNotSign:
            return try below { $0.replace(try Certificate.Extension(KeyUsage(digitalSignature: true), critical: true)) }
        case .enforcerWithoutNamespaces: return try below { $0.remove(.enforcerNamespaces) }
        case .enforcerNamespacesNotCritical:
            return try below { draft in
                for index in draft.extensions.indices where draft.extensions[index].oid == .enforcerNamespaces {
                    draft.extensions[index].critical = false
                }
            }
        case .enforcerNamespacesMalformed:
            return try below { $0.replace(Certificate.Extension(oid: .enforcerNamespaces, critical: true, value: [0x30, 0x01, 0x0c])) }
        case .unknownCriticalExtension: leaf.extensions.append(unknown)
        case .unknownCriticalExtensionOfEnforcer: return try below { $0.extensions.append(unknown) }

        case .otherTrustDomain:
            let other = try SPIFFEID(trustDomain: "other.example", namespace: id.namespace, name: id.name)
            leaf.replace(try CertificateDraft.alternativeName(other.description, critical: true))
        case .noSPIFFEID: leaf.replace(try Certificate.Extension(SubjectAlternativeNames([.dnsName("web.example")]), critical: true))
        case .noAlternativeName: leaf.remove(.X509ExtensionID.subjectAlternativeName)
        case .twoSPIFFEIDs:
            leaf.replace(try CertificateDraft.alternativeName(id.description, "\(id.description)-2", critical: true))
        case .anotherURI: leaf.replace(try CertificateDraft.alternativeName("https://test.example/ns/pu/a", critical: true))
        case .notAUnitsSPIFFEID: leaf.replace(try CertificateDraft.alternativeName("spiffe://test.example/ns/acme/sa/a", critical: true))

        case .noTags: leaf.remove(.processingUnitTags)
        case .tagsNotDER: leaf.replace(Certificate.Extension(oid: .processingUnitTags, critical: false, value: [0x30, 0x05, 0x0c, 0x01]))
        case .tagsNotUTF8:
            leaf.replace(Certificate.Extension(oid: .processingUnitTags, critical: false, value: [0x30, 0x05, 0x0c, 0x03, 0x61, 0x3d, 0xff]))
        case .tagWithoutValue: return try tagged(tags + ["web"])
        case .tagsOutOfOrder: return try tagged(tags + ["b=1", "a=1"])
        case .tagTwice: return try tagged(tags + ["a=1", "a=1"])
        case .tooManyTags: return try tagged(tags + (0..<300).map { "tag\(1000 + $0)=x" })
        case .tagsOfAnotherUnit: return try tagged([tags[0], "$name=another", tags[2]])
        case .tagsOfAnotherNamespace: return try tagged([tags[0], tags[1], "$namespace=/another"])
        case .secondNameTag: return try tagged([tags[0], tags[1], "$name=~", tags[2]].sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })

        // The Kelvin sign: canonically equal to the letter K, and other bytes.
        case .nameTagOfEqualLooks:
            let named = try SPIFFEID(trustDomain: id.trustDomain, namespace: id.namespace, name: "K")
            leaf.replace(try CertificateDraft.alternativeName(named.description, critical: true))
            return try tagged([tags[0], "$name=\u{212a}", tags[2]])
        case .notAProcessingUnit: return try tagged(["$identity=externalnetwork", tags[1], tags[2]])

        case .outsideEnforcersNamespaces:
            let other = try TestAuthority(trustDomain: authority.trustDomain, namespaces: ["/elsewhere"], sharing: authority, now: now)
            return [try leaf.signed(by: .init(other.enforcerKey), issuer: other.enforcer).der, try other.enforcer.der]
        case .leafIsCA: leaf.replace(try Certificate.Extension(BasicConstraints.isCertificateAuthority(maxPathLength: nil), critical: true))
        case .leafMaySignCertificates:
            leaf.replace(try Certificate.Extension(KeyUsage(digitalSignature: true, keyCertSign: true), critical: true))
        case .clientOnly: leaf.replace(try Certificate.Extension(try ExtendedKeyUsage([.clientAuth]), critical: false))
        case .serverOnly: leaf.replace(try Certificate.Extension(try ExtendedKeyUsage([.serverAuth]), critical: false))
        case .leafOnP384: leaf.publicKey = .init(P384.Signing.PrivateKey().publicKey)
        }
        return [try signed(), enforcer]
    }
}

extension CertificateDraft {
    mutating func remove(_ oid: ASN1ObjectIdentifier) { extensions.removeAll { $0.oid == oid } }

    mutating func replace(_ new: Certificate.Extension?) {
        guard let new else { return }
        remove(new.oid)
        extensions.append(new)
    }
}
