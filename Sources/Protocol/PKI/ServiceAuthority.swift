// A node's intermediate for public ports and its key, in memory: what signs the certificates that external clients see.

import Crypto
import SwiftASN1
import X509

/// A server's certificate with its key.
public struct ServerCertificate: Sendable, Equatable {
    /// DER, the leaf first, then the intermediate.
    public let chain: [[UInt8]]
    /// DER PKCS#8, P-256.
    public let privateKey: [UInt8]
    public let validity: Validity
}

/// A service CA that can sign.
public struct ServiceAuthority: Sendable {
    /// As many names as fit a certificate of some kilobytes, which a client has to take in one flight.
    public static let maximumNames = 256

    public let validity: Validity
    let certificate: Certificate
    let key: P256.Signing.PrivateKey

    private static let known: Set<ASN1ObjectIdentifier> = [
        .X509ExtensionID.basicConstraints, .X509ExtensionID.keyUsage, .X509ExtensionID.extendedKeyUsage,
    ]

    /// - Throws: `PKIError` if the certificate is no service CA's, or the key is not its key.
    init(certificate: Certificate, key: P256.Signing.PrivateKey) throws {
        validity = try Self.check(certificate, "the service intermediate")
        guard certificate.issuer != certificate.subject else { throw PKIError.certificate("the service intermediate is self-signed") }
        guard P256.Signing.PublicKey(certificate.publicKey)?.rawRepresentation == key.publicKey.rawRepresentation else {
            throw PKIError.certificate("the key and the service intermediate do not belong together")
        }
        self.certificate = certificate
        self.key = key
    }

    /// What root and intermediate have in common. Neither has a SPIFFE ID, so that none can be taken for an enforcer's.
    static func check(_ certificate: Certificate, _ what: String) throws -> Validity {
        let parsed = try ParsedForm(certificate.der, known: known, what: what)
        guard case .isCertificateAuthority = try certificate.extensions.basicConstraints else {
            throw PKIError.certificate("\(what) is no CA (its basic constraints do not say so)")
        }
        guard try certificate.extensions.keyUsage?.keyCertSign == true else {
            throw PKIError.certificate("\(what) may not sign certificates (its key usage does not say so)")
        }
        return parsed.validity
    }

    /// Names this issuer: the SHA-256 of its certificate in hexadecimal.
    public var issuerID: String { get throws { SHA256.hash(data: try certificate.der).hex } }

    /// A certificate with a new key for a public port.
    /// - Parameters:
    ///   - hosts: The service's names.
    ///   - addresses: Its addresses, 4 or 16 bytes each.
    ///   - now: Seconds since 1970.
    ///   - lifetime: Seconds; the certificate ends with the intermediate if that ends sooner.
    /// - Throws: `PKIError.request`, saying what cannot be issued and what to do.
    public func issue(hosts: [String], addresses: [[UInt8]], now: Int64, lifetime: Int64) throws -> ServerCertificate {
        guard validity.notAfter > now else {
            throw PKIError.request("the service intermediate has expired; renew it with `sallyport ca enforcer NAME`")
        }
        guard !hosts.isEmpty || !addresses.isEmpty else {
            throw PKIError.request("the service has no name and no single address that a certificate could carry; give it one in loadBalancer.hosts")
        }
        guard hosts.count + addresses.count <= Self.maximumNames else {
            throw PKIError.request("a certificate carries at most \(Self.maximumNames) names and addresses, and the service has \(hosts.count + addresses.count)")
        }
        if let host = hosts.first(where: { !Self.isName($0) }) {
            throw PKIError.request("\(host.quoted) is no DNS name that a certificate could carry")
        }
        guard addresses.allSatisfy({ $0.count == 4 || $0.count == 16 }) else {
            throw PKIError.request("an address of the service has neither 4 nor 16 bytes")
        }
        let key = P256.Signing.PrivateKey()
        var draft = try CertificateDraft.server(hosts: hosts, addresses: addresses, key: .init(key.publicKey), now: now, lifetime: lifetime)
        draft.validity = Validity(
            notBefore: max(draft.validity.notBefore, validity.notBefore), notAfter: min(draft.validity.notAfter, validity.notAfter))
        let leaf = try draft.signed(by: .init(self.key), issuer: certificate)
        return ServerCertificate(
            chain: [try leaf.der, try certificate.der], privateKey: Array(key.derRepresentation), validity: draft.validity)
    }

    /// Letters, digits, hyphens and underscores between dots, 253 characters at most.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0) || [0x2d, 0x2e, 0x5f].contains($0) }
    }
}
