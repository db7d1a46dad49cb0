// The part of a folder that is for public ports: the node's service intermediate, and the roots that external clients must trust.

import Crypto
import Linux
import X509

/// `service-intermediate.pem`, `service-key.pem` and `service-trust.pem` of a node's folder
/// (docs/plugins/tls-internal-ca.md, "Folders"). Read apart from the enforcer's own files: a fault in one part leaves the other.
public struct ServiceFolder: Sendable {
    public static let intermediateFile = "service-intermediate.pem"
    public static let keyFile = "service-key.pem"

    public let authority: ServiceAuthority

    /// Reads and checks them: owners and modes, that key, intermediate and roots belong together.
    /// - Throws: `PKIError.file`, naming the file, what is wrong with it and what mends it.
    public init(reading directory: String) throws(PKIError) {
        let path = "\(directory)/\(Self.intermediateFile)"
        let roots = try Self.roots(directory)
        let chain = try EnforcerFolder.certificates(path)
        guard let intermediate = chain.first, chain.count == 1 else {
            throw .file(path: path, problem: "holds \(chain.count) certificates where one belongs", mend: Self.mend)
        }
        let keyPath = "\(directory)/\(Self.keyFile)"
        do {
            let key = try P256.Signing.PrivateKey(pem: try CheckedFile.read(keyPath, secret: true))
            authority = try ServiceAuthority(certificate: intermediate, key: key)
        } catch let error as PKIError {
            if case .file = error { throw error }
            throw .file(path: keyPath, problem: "\(error)", mend: Self.mend)
        } catch {
            throw .file(path: keyPath, problem: "\(error)", mend: Self.mend)
        }
        guard roots.contains(where: { $0.publicKey.isValidSignature(intermediate.signature, for: intermediate) }) else {
            throw .file(
                path: path, problem: "was signed by none of the roots in \(RootFiles.services.trust)",
                mend: "copy \(RootFiles.services.trust) from the CA that made it, or make it again with `sallyport ca enforcer`")
        }
    }

    /// What external clients must trust: PEM, the current root first. More than one while a rotation overlaps.
    /// - Parameter directory: A CA's folder or a node's.
    public static func bundle(at directory: String) throws -> String { try CertificateAuthority.pem(roots(directory)) }

    private static let mend = "run `sallyport ca enforcer NAME` where the CA is, and copy its files here"

    private static func roots(_ directory: String) throws(PKIError) -> [Certificate] {
        try CheckedFile.checkFolder(directory)
        let path = "\(directory)/\(RootFiles.services.trust)"
        guard access(path, F_OK) == 0 else {
            throw .file(path: directory, problem: "holds no CA for public ports, since it was made by an older version", mend: mend)
        }
        let roots = try EnforcerFolder.certificates(path)
        for root in roots {
            do {
                _ = try ServiceAuthority.check(root, "a root in it")
            } catch {
                throw .file(path: path, problem: "\(error)", mend: "copy it from the CA again")
            }
        }
        return roots
    }

    /// Writes the node's part of a folder, as `EnforcerFolder.write` does the other.
    static func write(_ authority: ServiceAuthority, trustPEM: String, to directory: String) throws {
        try CheckedFile.write(trustPEM, to: "\(directory)/\(RootFiles.services.trust)", mode: 0o644)
        try CheckedFile.write(authority.key.pemRepresentation + "\n", to: "\(directory)/\(keyFile)", mode: 0o600)
        try CheckedFile.write(try authority.certificate.pem, to: "\(directory)/\(intermediateFile)", mode: 0o644)
    }
}
