// The certificate profile from the issuing side (docs/identity.md, "Certificates").

import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// A certificate before it is signed.
package struct CertificateDraft {
    /// Peers whose clock is behind accept a certificate from its first moment (BEHAVIOUR: clocks may differ by five minutes).
    static let backdating: Int64 = 300

    package var subject: DistinguishedName
    package var publicKey: Certificate.PublicKey
    package var validity: Validity
    package var extensions: [Certificate.Extension]

    /// A root: signs enforcers' intermediates.
    package static func root(trustDomain: String, key: Certificate.PublicKey, now: Int64, lifetime: Int64) throws -> CertificateDraft {
        // A name of its own for each root: two of one name in a trust bundle are told apart by key identifier alone.
        let serial = (0..<4).map { _ in UInt8.random(in: 0...255) }.hex
        return CertificateDraft(
            subject: try name("Sallyport root \(serial)"),
            publicKey: key,
            validity: Validity(notBefore: now - backdating, notAfter: now + lifetime),
            extensions: try authority(maximumPathLength: nil, trustDomain: trustDomain))
    }

    /// An enforcer's intermediate: signs leaves in `namespaces` and below, and no further CA.
    package static func enforcer(
        _ name: String, trustDomain: String, namespaces: [NamespacePath], key: Certificate.PublicKey, now: Int64, lifetime: Int64
    ) throws -> CertificateDraft {
        let texts = Set(namespaces).sorted().map(\.description)
        return CertificateDraft(
            subject: try self.name("Sallyport enforcer \(name)"),
            publicKey: key,
            validity: Validity(notBefore: now - backdating, notAfter: now + lifetime),
            extensions: try authority(maximumPathLength: 0, trustDomain: trustDomain) + [
                Certificate.Extension(oid: .enforcerNamespaces, critical: true, value: try TextSequence.encode(texts))
            ])
    }

    /// A processing unit's leaf. Its subject is empty and its alternative name therefore critical (RFC 5280, 4.1.2.6):
    /// the SPIFFE ID is its only name.
    package static func processingUnit(
        _ id: SPIFFEID, tags: [String], key: Certificate.PublicKey, now: Int64, lifetime: Int64
    ) throws -> CertificateDraft {
        CertificateDraft(
            subject: DistinguishedName(),
            publicKey: key,
            validity: Validity(notBefore: now - backdating, notAfter: now + lifetime),
            extensions: [
                try Certificate.Extension(BasicConstraints.notCertificateAuthority, critical: true),
                try Certificate.Extension(KeyUsage(digitalSignature: true), critical: true),
                try Certificate.Extension(try ExtendedKeyUsage([.serverAuth, .clientAuth]), critical: false),
                try alternativeName(id.description, critical: true),
                Certificate.Extension(oid: .processingUnitTags, critical: false, value: try TextSequence.encode(tags)),
            ])
    }

    /// A root for public ports. Without a SPIFFE ID it can be no root of enforcers.
    static func serviceRoot(trustDomain: String, key: Certificate.PublicKey, now: Int64, lifetime: Int64) throws -> CertificateDraft {
        let serial = (0..<4).map { _ in UInt8.random(in: 0...255) }.hex
        return CertificateDraft(
            subject: try name("Sallyport service root \(serial)", unit: trustDomain), publicKey: key,
            validity: Validity(notBefore: now - backdating, notAfter: now + lifetime), extensions: try authority(maximumPathLength: 1))
    }

    /// A node's intermediate for public ports: signs servers' certificates only (the usage of a CA limits what is below it;
    /// CA/Browser Forum, Baseline Requirements, 7.1.2.10.6).
    static func serviceIntermediate(_ enforcer: String, key: Certificate.PublicKey, now: Int64, lifetime: Int64) throws -> CertificateDraft {
        CertificateDraft(
            subject: try name("Sallyport services \(enforcer)"), publicKey: key,
            validity: Validity(notBefore: now - backdating, notAfter: now + lifetime),
            extensions: try authority(maximumPathLength: 0) + [
                try Certificate.Extension(try ExtendedKeyUsage([.serverAuth]), critical: false)
            ])
    }

    /// What a public port serves. The subject repeats the first name for those who list certificates; clients look at the
    /// alternative names (RFC 9525, section 2).
    static func server(
        hosts: [String], addresses: [[UInt8]], key: Certificate.PublicKey, now: Int64, lifetime: Int64
    ) throws -> CertificateDraft {
        // ub-common-name, RFC 5280, appendix A.1.
        let commonName = hosts.first { $0.utf8.count <= 64 }
        let names: [GeneralName] = hosts.map { .dnsName($0) } + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
        return CertificateDraft(
            subject: try commonName.map { name in try DistinguishedName { CommonName(name) } } ?? DistinguishedName(), publicKey: key,
            validity: Validity(notBefore: now - backdating, notAfter: now + lifetime),
            extensions: [
                try Certificate.Extension(BasicConstraints.notCertificateAuthority, critical: true),
                try Certificate.Extension(KeyUsage(digitalSignature: true), critical: true),
                try Certificate.Extension(try ExtendedKeyUsage([.serverAuth]), critical: false),
                // Critical where the subject is empty: RFC 5280, 4.2.1.6.
                try Certificate.Extension(SubjectAlternativeNames(names), critical: commonName == nil),
            ])
    }

    package static func alternativeName(_ uris: String..., critical: Bool) throws -> Certificate.Extension {
        try Certificate.Extension(SubjectAlternativeNames(uris.map { .uniformResourceIdentifier($0) }), critical: critical)
    }

    /// Signs the draft.
    /// - Parameter issuer: The issuer's certificate; nil for a self-signed one.
    /// - Returns: DER.
    package func signed(by key: Certificate.PrivateKey, issuer: Certificate?) throws -> Certificate {
        var extensions = extensions
        let subjectIdentifier = SubjectKeyIdentifier(hash: publicKey)
        extensions.append(try Certificate.Extension(subjectIdentifier, critical: false))
        let issuerIdentifier = try issuer?.extensions.subjectKeyIdentifier?.keyIdentifier ?? subjectIdentifier.keyIdentifier
        extensions.append(try Certificate.Extension(AuthorityKeyIdentifier(keyIdentifier: issuerIdentifier), critical: false))
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: Date(timeIntervalSince1970: Double(validity.notBefore)),
            notValidAfter: Date(timeIntervalSince1970: Double(validity.notAfter)),
            issuer: issuer?.subject ?? subject, subject: subject, extensions: try Certificate.Extensions(extensions),
            issuerPrivateKey: key)
    }

    private static func name(_ commonName: String, unit: String? = nil) throws -> DistinguishedName {
        try DistinguishedName {
            OrganizationName("Sallyport")
            // ub-organizational-unit-name, RFC 5280, appendix A.1.
            if let unit, unit.utf8.count <= 64 { OrganizationalUnitName(unit) }
            CommonName(commonName)
        }
    }

    private static func authority(maximumPathLength: Int?, trustDomain: String) throws -> [Certificate.Extension] {
        try authority(maximumPathLength: maximumPathLength) + [try alternativeName("spiffe://\(trustDomain)", critical: false)]
    }

    private static func authority(maximumPathLength: Int?) throws -> [Certificate.Extension] {
        [
            try Certificate.Extension(BasicConstraints.isCertificateAuthority(maxPathLength: maximumPathLength), critical: true),
            try Certificate.Extension(KeyUsage(keyCertSign: true, cRLSign: true), critical: true),
        ]
    }
}

extension Certificate {
    /// The certificate in DER.
    package var der: [UInt8] {
        get throws {
            var serializer = DER.Serializer()
            try serializer.serialize(self)
            return serializer.serializedBytes
        }
    }
}

extension Sequence<UInt8> {
    /// Lower-case hexadecimal digits.
    package var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
