// What all certificates of the profile have in common, checked once (docs/identity.md, "Certificates").

import FoundationEssentials
import SwiftASN1
import X509

/// When a certificate is in date, in seconds since 1970; both ends belong to it.
public struct Validity: Sendable, Equatable {
    public let notBefore: Int64
    public let notAfter: Int64

    public init(notBefore: Int64, notAfter: Int64) {
        self.notBefore = notBefore
        self.notAfter = notAfter
    }
}

/// A certificate whose form, algorithms and critical extensions are ones that the profile knows.
struct ParsedForm {
    /// Well over a leaf with the longest tags, well under what TLS carries.
    static let maximumSize = 64 * 1024

    let certificate: Certificate
    let validity: Validity

    /// - Parameters:
    ///   - der: One certificate.
    ///   - known: The critical extensions that this kind of certificate may have.
    ///   - what: "the leaf", for messages.
    init(_ der: [UInt8], known: Set<ASN1ObjectIdentifier>, what: String) throws(PKIError) {
        guard der.count <= Self.maximumSize else { throw .certificate("\(what) is over \(Self.maximumSize) bytes") }
        do {
            certificate = try Certificate(derEncoded: der)
        } catch {
            throw .certificate("\(what) is not a readable X.509 certificate")
        }
        guard certificate.version == .v3 else { throw .certificate("\(what) is not an X.509 version 3 certificate") }
        guard [.ecdsaWithSHA256, .ecdsaWithSHA384].contains(certificate.signatureAlgorithm) else {
            throw .certificate("\(what) is signed with \(certificate.signatureAlgorithm), not with ECDSA and SHA-256 or SHA-384")
        }
        // Path validation is told to pass over critical extensions it does not know; this is where they stop.
        if let unknown = certificate.extensions.first(where: { $0.critical && !known.contains($0.oid) }) {
            throw .certificate("\(what) has the critical extension \(unknown.oid), which Sallyport does not know")
        }
        validity = Validity(
            notBefore: Int64(certificate.notValidBefore.timeIntervalSince1970),
            notAfter: Int64(certificate.notValidAfter.timeIntervalSince1970))
    }
}

/// One that has a SPIFFE ID as well: an enforcer's, or below one.
struct ParsedCertificate {
    let certificate: Certificate
    let validity: Validity
    /// The one URI among the subject alternative names.
    let uri: String

    init(_ der: [UInt8], known: Set<ASN1ObjectIdentifier>, what: String) throws(PKIError) {
        let form = try ParsedForm(der, known: known, what: what)
        certificate = form.certificate
        validity = form.validity
        uri = try Self.uri(certificate, what)
    }

    /// X509-SVID.md, section 2: exactly one URI, and it is the SPIFFE ID.
    private static func uri(_ certificate: Certificate, _ what: String) throws(PKIError) -> String {
        let names: SubjectAlternativeNames?
        do {
            names = try certificate.extensions.subjectAlternativeNames
        } catch {
            throw .certificate("\(what) has unreadable subject alternative names")
        }
        let uris = (names ?? SubjectAlternativeNames()).compactMap { name -> String? in
            if case .uniformResourceIdentifier(let uri) = name { uri } else { nil }
        }
        guard let first = uris.first else { throw .identity("\(what) has no SPIFFE ID") }
        guard uris.count == 1 else { throw .identity("\(what) has \(uris.count) URIs where exactly one SPIFFE ID belongs") }
        return first
    }

    /// Reads one of the extensions that swift-certificates knows.
    func read<Value>(_ name: String, _ what: String, _ body: (Certificate.Extensions) throws -> Value?) throws(PKIError) -> Value? {
        do {
            return try body(certificate.extensions)
        } catch {
            throw .certificate("\(what) has an unreadable \(name) extension")
        }
    }

    /// Both ends of a session are client and server by turns, so a certificate is for both or it is refused.
    func requireBothUsages(_ what: String, mayBeAbsent: Bool) throws(PKIError) {
        guard let usages = try read("extended key usage", what, { try $0.extendedKeyUsage }) else {
            if mayBeAbsent { return }
            throw .certificate("\(what) has no extended key usage; it needs client and server authentication")
        }
        guard usages.contains(.clientAuth), usages.contains(.serverAuth) else {
            throw .certificate("\(what) is not for both client and server authentication")
        }
    }
}
