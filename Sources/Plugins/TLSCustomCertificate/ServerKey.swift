// The private key of a server, from PEM: RSA or ECDSA, in PKCS#8, PKCS#1 or SEC 1.

import Crypto
import CryptoExtras
import PKI
import SwiftASN1
import X509

/// A key that a public port can use.
struct ServerKey {
    /// NIST SP 800-131A: shorter ones are disallowed, and OpenSSL's security level 2 refuses them.
    static let leastRSABits = 2048

    let publicKey: Certificate.PublicKey
    /// DER PKCS#8.
    let der: [UInt8]

    /// - Parameter place: Where the text is from, for messages: "tls.key" or a path.
    init(pem text: String, place: String) throws(CertificateFault) {
        let keys = PEMBlock.all(in: text).filter(\.isPrivateKey)
        guard let block = keys.first else { throw CertificateFault("\(place) holds no private key in PEM") }
        guard keys.count == 1 else { throw CertificateFault("\(place) holds \(keys.count) private keys; leave the one of the certificate") }
        if block.isEncrypted {
            throw CertificateFault(
                "\(place) is encrypted with a passphrase, which nobody is there to type; decrypt it with `openssl pkey -in KEY -out KEY.plain`")
        }
        guard let bytes = block.der else { throw CertificateFault("the private key in \(place) is not readable PEM") }
        try self.init(block.label, bytes, place)
    }

    private init(_ label: String, _ bytes: [UInt8], _ place: String) throws(CertificateFault) {
        if let rsa = try? _RSA.Signing.PrivateKey(unsafeDERRepresentation: bytes) {
            guard rsa.keySizeInBits >= Self.leastRSABits else {
                throw CertificateFault("the RSA key in \(place) has \(rsa.keySizeInBits) bits, where at least \(Self.leastRSABits) are needed")
            }
            publicKey = .init(rsa.publicKey)
            der = Array(rsa.pkcs8DERRepresentation)
            return
        }
        if let key = try? P256.Signing.PrivateKey(derRepresentation: bytes) {
            publicKey = .init(key.publicKey)
            der = Array(key.derRepresentation)
            return
        }
        if let key = try? P384.Signing.PrivateKey(derRepresentation: bytes) {
            publicKey = .init(key.publicKey)
            der = Array(key.derRepresentation)
            return
        }
        let other = Self.algorithm(bytes).map { ", and it is \($0)" } ?? ", or it is damaged"
        throw CertificateFault("the private key in \(place) is neither RSA nor ECDSA on P-256 or P-384\(other)")
    }

    /// What a PKCS#8 document says it holds (RFC 5208, section 5); nil if it is none.
    private static func algorithm(_ bytes: [UInt8]) -> String? {
        guard let root = try? DER.parse(bytes), case .constructed(let members) = root.content else { return nil }
        for member in members {
            guard case .constructed(let parts) = member.content, let first = parts.first(where: { _ in true }),
                let oid = try? ASN1ObjectIdentifier(derEncoded: first)
            else { continue }
            return switch oid {
            case [1, 3, 101, 112]: "Ed25519"
            case [1, 3, 101, 113]: "Ed448"
            case [1, 2, 840, 10045, 2, 1]: "ECDSA on another curve"
            case [1, 2, 840, 10040, 4, 1]: "DSA"
            case [1, 2, 840, 113549, 1, 1, 10]: "RSA restricted to PSS"
            default: "of the algorithm \(oid)"
            }
        }
        return nil
    }
}
