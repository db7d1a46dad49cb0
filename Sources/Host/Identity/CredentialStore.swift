// Keeps every local processing unit in possession of a certificate that is in date.

import PKI

/// Asks for certificates and renews them: at the start, at about two thirds of their life, and at once when the unit's tags or
/// the issuer change. While asking fails, the last good one stays.
public actor CredentialStore {
    /// Names a processing unit.
    public struct Unit: Hashable, Sendable, CustomStringConvertible {
        public let namespace: String
        public let name: String

        public init(namespace: String, name: String) {
            self.namespace = namespace
            self.name = name
        }

        public var description: String { namespace == "/" ? "/\(name)" : "\(namespace)/\(name)" }
    }

    /// What is asked of the certificate provider.
    public struct Request: Sendable {
        public let unit: Unit
        /// All its tags, in the order in which certificates carry them.
        public let tags: [String]
        /// DER SubjectPublicKeyInfo.
        public let publicKey: [UInt8]
    }

    /// How a unit stands, for listings.
    public struct Status: Sendable {
        public let credentials: UnitCredentials?
        /// Why the last attempt failed; nil after one that did not.
        public let problem: String?
    }

    /// Where the wall clock is looked at again, at the latest: it may be set, or the machine be suspended.
    static let longestSleep: Int64 = 600

    private let clock: RenewalClock
    private let issue: @Sendable (Request) async throws -> [[UInt8]]
    private let publish: @Sendable (Unit, UnitCredentials) async -> Void
    private let failed: @Sendable (Unit, _ problem: String, _ retrySeconds: Int64) -> Void

    private var units: [Unit: Entry] = [:]
    private var issuer: (verifier: PeerVerifier, id: String)?
    private var lastAttempt: UInt64 = 0

    private struct Entry {
        var tags: [String]
        var credentials: UnitCredentials?
        var problem: String?
        var plan = RenewalPlan()
        /// Which task looks after the unit; another number means that it has been superseded.
        var attempt: UInt64 = 0
        var task: Task<Void, Never>?
    }

    /// - Parameters:
    ///   - issue: Asks the provider; gives the chain in DER, the leaf first.
    ///   - publish: Told of every new certificate of a unit, in order.
    ///   - failed: Told of every attempt that failed.
    public init(
        clock: RenewalClock = .system, issue: @escaping @Sendable (Request) async throws -> [[UInt8]],
        publish: @escaping @Sendable (Unit, UnitCredentials) async -> Void,
        failed: @escaping @Sendable (Unit, _ problem: String, _ retrySeconds: Int64) -> Void
    ) {
        self.clock = clock
        self.issue = issue
        self.publish = publish
        self.failed = failed
    }

    /// Sets who the local units are, with all their tags. Those that are gone are forgotten, new ones and ones whose tags
    /// changed get a certificate at once.
    public func setUnits(_ wanted: [Unit: [String]]) {
        for (unit, entry) in units where wanted[unit] == nil {
            entry.task?.cancel()
            units[unit] = nil
        }
        for (unit, tags) in wanted {
            if let entry = units[unit], entry.tags == tags { continue }
            units[unit, default: Entry(tags: tags)].tags = tags
            start(unit)
        }
    }

    /// Sets whose certificates are trusted, and names the issuer. Nothing is asked for before this was called once; when the
    /// issuer is another than before, every unit gets a new certificate.
    public func setIssuer(_ id: String, trust: TrustPool) {
        let isNew = issuer?.id != id
        issuer = (PeerVerifier(trust: trust), id)
        if isNew { for unit in units.keys { start(unit) } }
    }

    /// Asks again now for what was refused last: a provider may have come back.
    public func retry() {
        for (unit, entry) in units where entry.problem != nil { start(unit) }
    }

    /// How a unit stands; nil if it is not one of this node's.
    public func status(of unit: Unit) -> Status? {
        units[unit].map { Status(credentials: $0.credentials, problem: $0.problem) }
    }

    /// Ends all renewals.
    public func stop() {
        for entry in units.values { entry.task?.cancel() }
        units = [:]
        issuer = nil
    }

    /// Looks after a unit afresh, from asking for a certificate at once.
    private func start(_ unit: Unit) {
        guard issuer != nil else { return }
        lastAttempt += 1
        let attempt = lastAttempt
        units[unit]?.task?.cancel()
        units[unit]?.attempt = attempt
        units[unit]?.plan = RenewalPlan()
        units[unit]?.task = Task { await self.maintain(unit, attempt) }
    }

    private func maintain(_ unit: Unit, _ attempt: UInt64) async {
        while let entry = units[unit], entry.attempt == attempt {
            let now = clock.now()
            if entry.plan.due > now {
                // Throws when this task has been superseded.
                guard (try? await clock.sleep(min(entry.plan.due - now, Self.longestSleep))) != nil else { return }
                continue
            }
            do {
                let credentials = try await newCredentials(unit, entry.tags)
                // Whatever was asked for under other tags or of another issuer is no longer wanted.
                guard units[unit]?.attempt == attempt else { return }
                units[unit]?.credentials = credentials
                units[unit]?.problem = nil
                units[unit]?.plan.succeeded(at: clock.now(), notAfter: credentials.notAfter, random: clock.random)
                await publish(unit, credentials)
            } catch {
                guard units[unit]?.attempt == attempt else { return }
                units[unit]?.problem = "\(error)"
                let pause = units[unit]?.plan.failed(at: clock.now(), random: clock.random) ?? RenewalPlan.longestPause
                failed(unit, "\(error)", pause)
            }
        }
    }

    /// Asks for a certificate, and looks at it as a peer will: one that peers would refuse must not take the place of a good one.
    private func newCredentials(_ unit: Unit, _ tags: [String]) async throws -> UnitCredentials {
        guard let issuer else { throw IdentityError.untrusted("there is no trust bundle") }
        guard let key = KeyPair.generate() else { throw IdentityError.untrusted("no key could be made: out of memory") }
        let tags = try TagList.canonical(tags)
        let chain = try await issue(Request(unit: unit, tags: tags, publicKey: key.publicKey))
        let peer = try issuer.verifier.verify(chain: chain, now: clock.now()).get()
        // The verifier has just read this leaf.
        let leaf = try LeafFacts(decoding: chain[0])
        guard peer.namespace == unit.namespace, peer.name == unit.name, peer.tags == tags, leaf.publicKey == key.publicKey else {
            throw IdentityError.identity("the certificate that was issued is not the one that was asked for")
        }
        guard leaf.validity.notAfter > clock.now() else {
            throw IdentityError.expired("the certificate that was issued has ended already; see that clocks agree")
        }
        return UnitCredentials(
            chain: chain, privateKey: key.privateKey, spiffeID: peer.spiffeID, notBefore: leaf.validity.notBefore,
            notAfter: min(leaf.validity.notAfter, peer.notAfter), issuerID: issuer.id)
    }
}
