// What a node holds: its intermediate, the intermediate's key, and the roots it trusts.

import Crypto
import Linux
import X509

/// The roots that peers' certificates are checked against.
public struct TrustedRoots: Sendable, Equatable {
    /// DER; more than one while a rotation overlaps.
    public let roots: [[UInt8]]
    public let trustDomain: String

    /// - Throws: `PKIError` if a certificate is not a root of the profile, or they are of different trust domains.
    init(_ certificates: [Certificate]) throws {
        let ders = try certificates.map { try $0.der }
        let domains = Set(try ders.map { try AuthorityFacts(decoding: $0, as: .root).trustDomain })
        guard let domain = domains.first, domains.count == 1 else {
            throw PKIError.certificate("its roots are of several trust domains: \(domains.sorted().joined(separator: ", "))")
        }
        roots = ders
        trustDomain = domain
    }
}

/// A node's folder: `intermediate.pem`, `key.pem`, `trust.pem` (docs/plugins/tls-internal-ca.md, "Folders").
public struct EnforcerFolder: Sendable {
    public static let intermediateFile = "intermediate.pem"
    public static let keyFile = "key.pem"
    public static let trustFile = "trust.pem"

    public let authority: EnforcerAuthority
    public let trust: TrustedRoots

    /// Reads and checks all of it: owners and modes, that key, intermediate and roots belong together.
    /// - Throws: `PKIError.file`, naming the file, what is wrong with it and what mends it.
    public init(reading directory: String) throws(PKIError) {
        try CheckedFile.checkFolder(directory)
        let trustPath = "\(directory)/\(Self.trustFile)"
        let roots = try Self.certificates(trustPath)
        do {
            trust = try TrustedRoots(roots)
        } catch {
            throw .file(path: trustPath, problem: "\(error)", mend: "copy trust.pem from the CA again")
        }
        let path = "\(directory)/\(Self.intermediateFile)"
        let chain = try Self.certificates(path)
        guard let intermediate = chain.first, chain.count == 1 else {
            throw .file(
                path: path, problem: "holds \(chain.count) certificates where the enforcer's alone belongs",
                mend: "make it again with `sallyport ca enforcer`")
        }
        let keyPath = "\(directory)/\(Self.keyFile)"
        do {
            let key = try P256.Signing.PrivateKey(pem: try CheckedFile.read(keyPath, secret: true))
            authority = try EnforcerAuthority(certificate: intermediate, key: key)
        } catch let error as PKIError {
            if case .file = error { throw error }
            throw .file(path: keyPath, problem: "\(error)", mend: "make both again with `sallyport ca enforcer`")
        } catch {
            throw .file(path: keyPath, problem: "\(error)", mend: "make it again with `sallyport ca enforcer`")
        }
        guard authority.facts.trustDomain == trust.trustDomain else {
            throw .file(
                path: path, problem: "is of trust domain \(authority.facts.trustDomain), and trust.pem of \(trust.trustDomain)",
                mend: "copy both from the same CA")
        }
        guard roots.contains(where: { $0.publicKey.isValidSignature(intermediate.signature, for: intermediate) }) else {
            throw .file(
                path: path, problem: "was signed by none of the roots in trust.pem",
                mend: "copy trust.pem from the CA that made it, or make it again with `sallyport ca enforcer`")
        }
    }

    /// Writes a node's folder. The intermediate is last: until it is there, the old one or nothing is in force.
    static func write(_ authority: EnforcerAuthority, trustPEM: String, to directory: String) throws {
        try CheckedFile.makeFolder(directory)
        try CheckedFile.write(trustPEM, to: "\(directory)/\(trustFile)", mode: 0o644)
        try CheckedFile.write(authority.key.pemRepresentation + "\n", to: "\(directory)/\(keyFile)", mode: 0o600)
        try CheckedFile.write(try authority.certificate.pem, to: "\(directory)/\(intermediateFile)", mode: 0o644)
    }

    static func certificates(_ path: String) throws(PKIError) -> [Certificate] {
        let text = try CheckedFile.read(path)
        do {
            return try Certificate.all(pem: text)
        } catch {
            throw .file(path: path, problem: error.description, mend: "copy it from the CA again")
        }
    }
}
