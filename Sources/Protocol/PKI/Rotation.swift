// Replacing a root with an overlap, and what a CA's folder holds.

import Crypto
import Linux
import X509

extension CertificateAuthority {
    /// Makes a new root and trusts it beside the old. The enforcers' copies of trust.pem are brought up to date; their
    /// intermediates stay as they are until `issueEnforcer`, so that no peer meets a root that it does not know yet.
    /// - Parameter now: Seconds since 1970.
    public func rotate(now: Int64, lifetime: Int64 = RootAuthority.lifetime) throws -> CertificateAuthority {
        try Self.locked(directory) {
            let current = try CertificateAuthority(at: directory)
            let new = try RootAuthority(trustDomain: trustDomain, now: now, lifetime: lifetime)
            try Self.write(new, trusted: [new.certificate] + current.trusted, to: directory)
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
            let behind = try current.contents().enforcers.filter { !$0.isOfCurrentRoot && $0.facts.validity.notAfter > now }
            guard force || behind.isEmpty else {
                throw PKIError.request(
                    """
                    the intermediates of \(behind.map(\.name).joined(separator: ", ")) are still of an older root; renew each with \
                    `sallyport ca enforcer NAME` and bring it to its node first
                    """)
            }
            try Self.write(current.root, trusted: [current.root.certificate], to: directory)
            let retired = try CertificateAuthority(at: directory)
            try retired.distributeTrust()
            return retired
        }
    }

    private func distributeTrust() throws {
        let text = try Self.pem(trusted)
        for name in try enforcerNames() {
            let folder = Self.folder(ofEnforcer: name, in: directory)
            try CheckedFile.write(text, to: "\(folder)/\(EnforcerFolder.trustFile)", mode: 0o644)
        }
    }

    /// What the folder holds, for `sallyport ca show`.
    public struct Contents: Sendable {
        public let trustDomain: String
        /// The current root first, then those an overlap still trusts.
        public let roots: [Root]
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
        }
    }

    /// - Throws: `PKIError.file` naming the first file that is not as it should be.
    public func contents() throws -> Contents {
        let others = trusted.filter { $0 != root.certificate }
        return Contents(
            trustDomain: trustDomain,
            roots: try ([root.certificate] + others).map {
                let der = try $0.der
                return Contents.Root(
                    fingerprint: SHA256.hash(data: der).hex, validity: try AuthorityFacts(decoding: der, as: .root).validity)
            },
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
                return Contents.Enforcer(
                    name: name, facts: facts,
                    isOfCurrentRoot: root.certificate.publicKey.isValidSignature(certificate.signature, for: certificate))
            })
    }
}
