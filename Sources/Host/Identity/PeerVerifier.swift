// From a chain to an identity: once per chain and thread, until trust or time moves on.

import PKI

/// Verifies peers' chains against one trust pool. Each worker thread has its own; not `Sendable`.
public final class PeerVerifier {
    /// How far clocks may differ, either way, in seconds.
    public static let clockSkew: Int64 = 300
    /// Leaf and enforcer's intermediate.
    static let chainLength = 2
    /// Chains remembered per thread, about 2 KiB each with their tags.
    package static let cacheCapacity = 4096

    public let trust: TrustPool
    private let path: SignedPath?
    private var cache: [SHA256Digest: Entry] = [:]

    /// Never more than `cacheCapacity`.
    package var rememberedChains: Int { cache.count }

    private struct Entry {
        let identity: PeerIdentity
        /// When, with the tolerance for clocks, every certificate of the chain is in date.
        let inDate: ClosedRange<Int64>
    }

    public init(trust: TrustPool) {
        self.trust = trust
        path = SignedPath(roots: trust.roots)
    }

    /// Identifies a peer.
    /// - Parameters:
    ///   - chain: DER, as presented: the leaf, then its enforcer's intermediate.
    ///   - now: Seconds since 1970.
    /// - Returns: The same object for the same chain while it is remembered.
    public func verify(chain: [[UInt8]], now: Int64) -> Result<PeerIdentity, IdentityError> {
        let digest = SHA256Digest(ofAll: chain)
        if let entry = cache[digest], entry.inDate.contains(now) { return .success(entry.identity) }
        do {
            let entry = try judge(chain, now: now)
            // Peers renew daily, so a full cache holds mostly chains that are gone; what is in use comes back at 0.2 ms each.
            if cache.count >= Self.cacheCapacity { cache.removeAll(keepingCapacity: true) }
            cache[digest] = entry
            return .success(entry.identity)
        } catch {
            return .failure(error)
        }
    }

    private func judge(_ chain: [[UInt8]], now: Int64) throws(IdentityError) -> Entry {
        guard !chain.isEmpty else { throw .missing }
        guard chain.count == Self.chainLength else {
            throw .untrusted("the chain has \(chain.count) certificates where a leaf and its enforcer's intermediate belong")
        }
        // Facts first: path validation relies on every critical extension being a known one.
        let leaf: LeafFacts, enforcer: AuthorityFacts
        do {
            leaf = try LeafFacts(decoding: chain[0])
            enforcer = try AuthorityFacts(decoding: chain[1], as: .enforcer)
        } catch {
            throw IdentityError(error)
        }
        guard let path else { throw .untrusted("the trust bundle could not be loaded") }
        let root = trust.facts[try path.verify(leaf: chain[0], intermediate: chain[1]).get()]

        for (what, validity) in [
            ("the leaf of \(leaf.spiffeID)", leaf.validity), ("the enforcer's intermediate", enforcer.validity), ("the root", root.validity),
        ] {
            if now > validity.notAfter + Self.clockSkew {
                throw .expired("\(what) expired \(now - validity.notAfter) s ago; see that it is renewed, and that clocks agree")
            }
            if now < validity.notBefore - Self.clockSkew {
                throw .notYetValid("\(what) is not valid for another \(validity.notBefore - now) s; see that clocks agree")
            }
        }
        guard enforcer.trustDomain == trust.trustDomain, leaf.spiffeID.trustDomain == trust.trustDomain else {
            throw .untrusted("\(leaf.spiffeID) is not of the trust domain \(trust.trustDomain)")
        }
        guard enforcer.maySpeak(for: leaf.spiffeID.namespace) else {
            throw .identity(
                """
                \(leaf.spiffeID) is outside the namespaces of the enforcer that signed it \
                (\(enforcer.namespaces.prefix(8).map(\.description).joined(separator: ", ")))
                """)
        }
        let notAfter = min(leaf.validity.notAfter, enforcer.validity.notAfter, root.validity.notAfter)
        let notBefore = max(leaf.validity.notBefore, enforcer.validity.notBefore, root.validity.notBefore)
        // `now` lies between these two, as just checked, so the range is one.
        return Entry(
            identity: PeerIdentity(
                spiffeID: leaf.spiffeID.description, namespace: leaf.spiffeID.namespace.description, name: leaf.spiffeID.name,
                tags: leaf.tags, notAfter: notAfter, digest: SHA256Digest(of: chain[0])),
            inDate: notBefore - Self.clockSkew...notAfter + Self.clockSkew)
    }
}

extension IdentityError {
    init(_ error: PKIError) {
        if case .identity(let text) = error {
            self = .identity(text)
        } else {
            self = .untrusted(error.description)
        }
    }
}
