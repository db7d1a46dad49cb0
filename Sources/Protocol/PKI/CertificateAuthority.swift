// A CA in a folder: what `sallyport ca` works on.

import Crypto
import Linux
import X509

/// A CA's folder: `root.pem`, `root.key`, `trust.pem`, the same for public ports (`service-…`), and `enforcers/NAME/` for each enforcer
/// (docs/plugins/tls-internal-ca.md, "Folders"). Every change is made under a lock and leaves either the old state or the
/// new one, also when it is interrupted.
public struct CertificateAuthority: Sendable {
    public let directory: String
    let root: RootAuthority
    /// The current root first, then those that an unfinished rotation still trusts.
    let trusted: [Certificate]

    /// The root of public ports, and those that external clients trust; nil in a folder made before there was one.
    let services: (root: ServiceRoot, trusted: [Certificate])?

    static let enforcersFolder = "enforcers"

    /// Whether a folder is a CA's (and not a node's).
    public static func isPresent(at directory: String) -> Bool { access("\(directory)/\(RootFiles.enforcers.certificate)", F_OK) == 0 }

    public var trustDomain: String { root.facts.trustDomain }

    /// The current root's certificate.
    public var rootDER: [UInt8] { get throws { try root.der } }

    /// Where the folder of an enforcer is, made or not.
    public static func folder(ofEnforcer name: String, in directory: String) -> String { "\(directory)/\(enforcersFolder)/\(name)" }

    /// Makes a CA: the folder, and a root for `trustDomain` with a new key.
    /// - Parameter now: Seconds since 1970.
    /// - Throws: `PKIError` if there is a CA already, or the folder cannot be written.
    public static func create(
        at directory: String, trustDomain: String, now: Int64, lifetime: Int64 = RootAuthority.lifetime
    ) throws -> CertificateAuthority {
        let root = try RootAuthority(trustDomain: trustDomain, now: now, lifetime: lifetime)
        try CheckedFile.makeFolder(directory)
        return try locked(directory) {
            for file in [RootFiles.enforcers.certificate, RootFiles.enforcers.key] where access("\(directory)/\(file)", F_OK) == 0 {
                throw PKIError.file(
                    path: "\(directory)/\(file)", problem: "there is a CA here already",
                    mend: "give another folder, or replace the root with `sallyport ca rotate`")
            }
            // Last what makes it a CA's folder.
            try makeServiceRoot(trustDomain: trustDomain, at: directory, now: now, lifetime: lifetime)
            try RootFiles.enforcers.write(root.certificate, root.key, trusted: [root.certificate], to: directory)
            return try CertificateAuthority(at: directory)
        }
    }

    /// Opens a CA's folder, checking owners and modes, and that root and key belong together.
    /// - Throws: `PKIError.file`, naming the file, what is wrong with it and what mends it.
    public init(at directory: String) throws {
        try CheckedFile.checkFolder(directory)
        self.directory = directory
        (root, trusted) = try RootFiles.enforcers.read(from: directory, RootAuthority.init(certificate:key:))
        services = RootFiles.services.arePresent(in: directory) ? try RootFiles.services.read(from: directory, ServiceRoot.init(certificate:key:)) : nil
    }

    /// Gives an enforcer an intermediate, new or in place of the one it has.
    /// - Parameters:
    ///   - namespaces: What it may speak for; nil keeps what it had, and is everything for a new one.
    ///   - now: Seconds since 1970.
    /// - Returns: The folder to copy to the node.
    @discardableResult
    public func issueEnforcer(
        _ name: String, namespaces: [NamespacePath]? = nil, now: Int64, lifetime: Int64 = EnforcerAuthority.lifetime
    ) throws -> String {
        try Self.locked(directory) {
            let folder = Self.folder(ofEnforcer: name, in: directory)
            let before = SPIFFEID.isSegment(name) ? try Self.intermediate(in: folder) : nil
            let kept = try before.map { try AuthorityFacts(decoding: $0.der, as: .enforcer).namespaces }
            var current = try CertificateAuthority(at: directory)
            let authority = try current.root.issueEnforcer(name, namespaces: namespaces ?? kept ?? [.root], now: now, lifetime: lifetime)
            if current.services == nil {
                try Self.makeServiceRoot(trustDomain: current.trustDomain, at: directory, now: now, lifetime: RootAuthority.lifetime)
                current = try CertificateAuthority(at: directory)
            }
            try CheckedFile.makeFolder("\(directory)/\(Self.enforcersFolder)")
            try EnforcerFolder.write(authority, trustPEM: try Self.pem(current.trusted), to: folder)
            if let (root, trusted) = current.services {
                try ServiceFolder.write(try root.issue(name, now: now, lifetime: lifetime), trustPEM: try Self.pem(trusted), to: folder)
            }
            return folder
        }
    }

    /// The intermediate in an enforcer's folder; nil when there is none.
    static func intermediate(in folder: String) throws(PKIError) -> Certificate? {
        let path = "\(folder)/\(EnforcerFolder.intermediateFile)"
        guard access(path, F_OK) == 0 else { return nil }
        return try EnforcerFolder.certificates(path).first
    }

    /// The names of the enforcers that have an intermediate here, sorted.
    func enforcerNames() throws(PKIError) -> [String] {
        let path = "\(directory)/\(Self.enforcersFolder)"
        guard access(path, F_OK) == 0 else { return [] }
        try CheckedFile.checkFolder(path)
        guard let stream = opendir(path) else {
            throw .file(path: path, problem: String(cString: strerror(clinux_errno())), mend: "run this as the owner of the folder")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            let intermediate = "\(path)/\(name)/\(EnforcerFolder.intermediateFile)"
            if SPIFFEID.isSegment(name), access(intermediate, F_OK) == 0 { names.append(name) }
        }
        return names.sorted()
    }

    private static func makeServiceRoot(trustDomain: String, at directory: String, now: Int64, lifetime: Int64) throws {
        let root = try ServiceRoot(trustDomain: trustDomain, now: now, lifetime: lifetime)
        try RootFiles.services.write(root.certificate, root.key, trusted: [root.certificate], to: directory)
    }

    static func pem(_ certificates: [Certificate]) throws -> String { try certificates.map { try $0.pem }.joined() }

    /// Runs `body` while no other process changes the folder; flock(2) on the folder itself leaves no file behind.
    static func locked<Result>(_ directory: String, _ body: () throws -> Result) throws -> Result {
        let folder = try Descriptor(opening: directory, flags: O_RDONLY | O_DIRECTORY)
        try syscall("flock", directory) { flock(folder.raw, LOCK_EX) }
        return try body()
    }
}
