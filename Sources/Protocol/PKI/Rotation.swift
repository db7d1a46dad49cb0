// Replacing a root with an overlap, and what a CA's folder holds.

import Crypto
import Linux
import X509

extension CertificateAuthority {
    /// Makes new roots, for enforcers and for public ports, and trusts them beside the old. The enforcers' copies of the trusted roots are brought up to date; their
    /// intermediates stay as they are until `issueEnforcer`, so that no peer meets a root that it does not know yet.
    /// - Parameter now: Seconds since 1970.
    public func rotate(now: Int64, lifetime: Int64 = RootAuthority.lifetime) throws -> CertificateAuthority {
        try Self.locked(directory) {
            let current = try CertificateAuthority(at: directory)
            let new = try RootAuthority(trustDomain: trustDomain, now: now, lifetime: lifetime)
            try RootFiles.enforcers.write(new.certificate, new.key, trusted: [new.certificate] + current.trusted, to: directory)
            let service = try ServiceRoot(trustDomain: trustDomain, now: now, lifetime: lifetime)
            try RootFiles.services.write(
                service.certificate, service.key, trusted: [service.certificate] + (current.services?.trusted ?? []), to: directory)
            let rotated = try CertificateAuthority(at: directory)
            try rotated.distributeTrust()
            return rotated
        }
    }

    /// Ends the overlap: trusts the current root alone.
    /// - Parameter force: Also when enforcers still have intermediates of an older root; their processing units are then refused.
    public func retire(now: Int64, force: Bool = false) throws -> CertificateAuthority {
        try Self.locked(directory) {
            let current = try CertificateAuthority(at: directory)
            let behind = try current.contents().enforcers.filter { !($0.isOfCurrentRoot && $0.isOfCurrentServiceRoot) && $0.facts.validity.notAfter > now }
            guard force || behind.isEmpty else {
                throw PKIError.request(
                    """
                    the intermediates of \(behind.map(\.name).joined(separator: ", ")) are still of an older root; renew each with \
                    `sallyport ca enforcer NAME` and bring it to its node first
                    """)
            }
            try RootFiles.enforcers.write(current.root.certificate, current.root.key, trusted: [current.root.certificate], to: directory)
            if let root = current.services?.root {
                try RootFiles.services.write(root.certificate, root.key, trusted: [root.certificate], to: directory)
            }
            let retired = try CertificateAuthority(at: directory)
            try retired.distributeTrust()
            return retired
        }
    }

    private func distributeTrust() throws {
        let text = try Self.pem(trusted)
        let services = try services.map { try Self.pem($0.trusted) }
        for name in try enforcerNames() {
            let folder = Self.folder(ofEnforcer: name, in: directory)
            try CheckedFile.write(text, to: "\(folder)/\(EnforcerFolder.trustFile)", mode: 0o644)
            if let services { try CheckedFile.write(services, to: "\(folder)/\(RootFiles.services.trust)", mode: 0o644) }
        }
    }

    /// What the folder holds, for `sallyport ca show`.
    public struct Contents: Sendable {
        public let trustDomain: String
        /// The current root first, then those an overlap still trusts.
        public let roots: [Root]
        /// Of public ports, in the same order; none in a folder made before there was one.
        public let serviceRoots: [Root]
        public let enforcers: [Enforcer]

        public struct Root: Sendable {
            /// SHA-256 of the certificate, hexadecimal.
            public let fingerprint: String
            public let validity: Validity
        }
        public struct Enforcer: Sendable {
            public let name: String
            public let facts: AuthorityFacts
            /// False while a rotation has not reached it.
            public let isOfCurrentRoot: Bool
            /// The end of its intermediate for public ports, in seconds since 1970; nil if it has none.
            public let serviceNotAfter: Int64?
            /// True also while it has none.
            public let isOfCurrentServiceRoot: Bool
        }
    }

    /// - Throws: `PKIError.file` naming the first file that is not as it should be.
    public func contents() throws -> Contents {
        Contents(
            trustDomain: trustDomain,
            roots: try Self.list(root.certificate, trusted) { try AuthorityFacts(decoding: $0.der, as: .root).validity },
            serviceRoots: try services.map {
                try Self.list($0.root.certificate, $0.trusted) { try ServiceAuthority.check($0, "a root in service-trust.pem") }
            } ?? [],
            enforcers: try enforcerNames().compactMap { name in
                let folder = Self.folder(ofEnforcer: name, in: directory)
                guard let certificate = try Self.intermediate(in: folder) else { return nil }
                let facts: AuthorityFacts
                do {
                    facts = try AuthorityFacts(decoding: certificate.der, as: .enforcer)
                } catch {
                    throw PKIError.file(
                        path: "\(folder)/\(EnforcerFolder.intermediateFile)", problem: "\(error)",
                        mend: "make it again with `sallyport ca enforcer \(name)`")
                }
                let service = try Self.serviceIntermediate(in: folder)
                return Contents.Enforcer(
                    name: name, facts: facts,
                    isOfCurrentRoot: root.certificate.publicKey.isValidSignature(certificate.signature, for: certificate),
                    serviceNotAfter: try service.map { try ServiceAuthority.check($0, "the service intermediate of \(name)").notAfter },
                    isOfCurrentServiceRoot: service.map { service in
                        services?.root.certificate.publicKey.isValidSignature(service.signature, for: service) == true
                    } ?? true)
            })
    }

    /// The current root first.
    private static func list(
        _ current: Certificate, _ trusted: [Certificate], _ validity: (Certificate) throws -> Validity
    ) throws -> [Contents.Root] {
        try ([current] + trusted.filter { $0 != current }).map {
            Contents.Root(fingerprint: SHA256.hash(data: try $0.der).hex, validity: try validity($0))
        }
    }

    private static func serviceIntermediate(in folder: String) throws(PKIError) -> Certificate? {
        let path = "\(folder)/\(ServiceFolder.intermediateFile)"
        guard access(path, F_OK) == 0 else { return nil }
        return try EnforcerFolder.certificates(path).first
    }
}
