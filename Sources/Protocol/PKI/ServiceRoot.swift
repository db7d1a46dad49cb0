// The root that external clients trust: what signs the intermediates for public ports. No enforcer trusts it.

import Crypto
import Linux
import X509

/// The names of a root's files in a CA's folder.
struct RootFiles {
    let certificate: String
    let key: String
    let trust: String

    static let enforcers = RootFiles(certificate: "root.pem", key: "root.key", trust: "trust.pem")
    static let services = RootFiles(certificate: "service-root.pem", key: "service-root.key", trust: "service-trust.pem")

    func arePresent(in directory: String) -> Bool { access("\(directory)/\(key)", F_OK) == 0 }

    /// In the order that `read` can pick up after a crash: trust first, then the key that makes a root current.
    func write(_ root: Certificate, _ secret: P256.Signing.PrivateKey, trusted: [Certificate], to directory: String) throws {
        try CheckedFile.write(try CertificateAuthority.pem(trusted), to: "\(directory)/\(trust)", mode: 0o644)
        try CheckedFile.write(secret.pemRepresentation + "\n", to: "\(directory)/\(key)", mode: 0o600)
        try CheckedFile.write(try root.pem, to: "\(directory)/\(certificate)", mode: 0o644)
    }

    /// Reads the files, checking owners and modes, and that root and key belong together.
    /// - Parameter make: A root of a certificate and a key; throws where they are not one.
    func read<Root>(
        from directory: String, _ make: (Certificate, P256.Signing.PrivateKey) throws -> Root
    ) throws -> (root: Root, trusted: [Certificate]) {
        let keyPath = "\(directory)/\(key)", rootPath = "\(directory)/\(certificate)"
        let trusted = try EnforcerFolder.certificates("\(directory)/\(trust)")
        let secret: P256.Signing.PrivateKey
        do {
            secret = try P256.Signing.PrivateKey(pem: try CheckedFile.read(keyPath, secret: true))
        } catch {
            if case .file = error { throw error }
            throw PKIError.file(path: keyPath, problem: error.description, mend: "restore it from a backup")
        }
        // The key is what says which root is current. A change that was cut short between the two files has its new root
        // among the trusted already, since they are written first.
        let candidates = [try? EnforcerFolder.certificates(rootPath).first].compactMap { $0 } + trusted
        for candidate in candidates {
            if let root = try? make(candidate, secret) { return (root, trusted) }
        }
        throw PKIError.file(path: rootPath, problem: "is not the certificate of the key in \(key)", mend: "restore both from a backup")
    }
}

/// A root CA for public ports that can sign.
struct ServiceRoot: Sendable {
    let certificate: Certificate
    let key: P256.Signing.PrivateKey
    let validity: Validity

    /// A new root with a new key.
    init(trustDomain: String, now: Int64, lifetime: Int64) throws {
        let key = P256.Signing.PrivateKey()
        let draft = try CertificateDraft.serviceRoot(trustDomain: trustDomain, key: .init(key.publicKey), now: now, lifetime: lifetime)
        try self.init(certificate: draft.signed(by: .init(key), issuer: nil), key: key)
    }

    /// - Throws: `PKIError` if the certificate is no such root, or the key is not its key.
    init(certificate: Certificate, key: P256.Signing.PrivateKey) throws {
        validity = try ServiceAuthority.check(certificate, "the service root")
        guard certificate.issuer == certificate.subject else {
            throw PKIError.certificate("the service root's issuer is not the root itself")
        }
        guard P256.Signing.PublicKey(certificate.publicKey)?.rawRepresentation == key.publicKey.rawRepresentation else {
            throw PKIError.certificate("the service root's key and certificate do not belong together")
        }
        self.certificate = certificate
        self.key = key
    }

    /// A new intermediate with a new key, which ends with the root at the latest.
    func issue(_ enforcer: String, now: Int64, lifetime: Int64) throws -> ServiceAuthority {
        guard validity.notAfter > now else {
            throw PKIError.request("the service root has expired; make a new one with `sallyport ca rotate`")
        }
        let key = P256.Signing.PrivateKey()
        var draft = try CertificateDraft.serviceIntermediate(enforcer, key: .init(key.publicKey), now: now, lifetime: lifetime)
        draft.validity = Validity(notBefore: draft.validity.notBefore, notAfter: min(draft.validity.notAfter, validity.notAfter))
        return try ServiceAuthority(certificate: draft.signed(by: .init(self.key), issuer: certificate), key: key)
    }
}
