import Identity
import PKI
import Support
import Synchronization
import Testing

private typealias Unit = CredentialStore.Unit

/// A certificate provider that does what a test says, and notes what it was asked and what came of it.
private final class Provider: Sendable {
    struct Away: Error, CustomStringConvertible { let description = "the provider is away" }

    struct State {
        var authority: TestAuthority
        var lifetime: Int64 = 3600
        var isAway = false
        var flaw: CertificateFlaw?
        /// Answer with what another unit would get.
        var misnames = false
        /// Certify a key of the provider's own.
        var usesOtherKey = false
        var requests: [CredentialStore.Request] = []
        var published: [(unit: Unit, credentials: UnitCredentials)] = []
        var pauses: [Int64] = []
    }

    let state: Mutex<State>
    let clock: ManualClock

    init(_ authority: TestAuthority, _ clock: ManualClock) {
        state = Mutex(State(authority: authority))
        self.clock = clock
    }

    func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }
    var requests: [CredentialStore.Request] { state.withLock { $0.requests } }
    var published: [UnitCredentials] { state.withLock { $0.published.map(\.credentials) } }
    var pauses: [Int64] { state.withLock { $0.pauses } }

    func store() -> CredentialStore {
        CredentialStore(clock: clock.clock) { request in
            let now = self.clock.now
            let state = self.state.withLock { state in
                state.requests.append(request)
                return state
            }
            if state.isAway { throw Away() }
            let extra = request.tags.filter { !$0.hasPrefix("$") }
            return try state.authority.issue(
                request.unit.namespace, state.misnames ? "another" : request.unit.name, tags: extra, publicKey: state.usesOtherKey ? nil : request.publicKey, flaw: state.flaw,
                now: now, lifetime: state.lifetime
            ).chain
        } publish: { unit, credentials in
            self.set { $0.published.append((unit, credentials)) }
        } failed: { _, _, pause in
            self.set { $0.pauses.append(pause) }
        }
    }
}

@Suite("Certificates of local units", .timeLimit(.minutes(1)))
struct CredentialStoreTests {
    private let clock = ManualClock(1_800_000_000)
    private let authority: TestAuthority
    private let provider: Provider
    private let store: CredentialStore
    private let web = Unit(namespace: "/acme", name: "web")

    init() throws {
        authority = try TestAuthority(now: clock.now, lifetime: 10 * 86400)
        provider = Provider(authority, clock)
        store = provider.store()
    }

    private func tags(_ unit: Unit, _ others: String...) -> [String] {
        others + ["$identity=processingunit", "$name=\(unit.name)", "$namespace=\(unit.namespace)"]
    }

    private func trust(_ authorities: TestAuthority..., generation: UInt64 = 1) throws -> TrustPool {
        try TrustPool(generation: generation, trustDomain: "test.example", roots: authorities.flatMap { try $0.roots })
    }

    /// One unit with its first certificate.
    private func started() async throws {
        await store.setUnits([web: tags(web, "app=web")])
        try await store.setIssuer("one", trust: trust(authority))
        await clock.settled(1)
    }

    @Test("nothing is asked for before the issuer is known; then every unit gets a certificate for a key of its own")
    func first() async throws {
        let cron = Unit(namespace: "/", name: "cron")
        await store.setUnits([web: tags(web), cron: tags(cron)])
        #expect(provider.requests.isEmpty)
        try await store.setIssuer("one", trust: trust(authority))
        await clock.settled(2)
        #expect(Set(provider.published.map(\.spiffeID)) == ["spiffe://test.example/ns/acme/pu/web", "spiffe://test.example/ns/pu/cron"])
        #expect(Set(provider.published.map(\.privateKey)).count == 2)
        #expect(provider.published.allSatisfy { $0.issuerID == "one" && $0.notAfter == clock.now + 3600 })
        #expect(await store.status(of: cron)?.problem == nil)
    }

    @Test("a certificate is renewed between 60 and 70 % of its life, again and again")
    func renewal() async throws {
        for (chance, part) in [(0.0, 0.60), (0.5, 0.65), (1.0, 0.70)] {
            let clock = ManualClock(1_800_000_000)
            clock.setChance(chance)
            let provider = Provider(authority, clock), store = provider.store()
            await store.setUnits([web: tags(web)])
            try await store.setIssuer("one", trust: trust(authority))
            for round in 1...3 {
                await clock.settled(1)
                #expect(provider.published.count == round)
                let life = Int64(3600 * part)
                // It sleeps no longer than ten minutes at a time, so that a clock that was set is noticed.
                for step in stride(from: life, to: 0, by: -600) {
                    #expect(provider.published.count == round)
                    clock.advance(min(step, 600))
                    if step > 600 { await clock.settled(1) }
                }
            }
            await clock.settled(1)
            #expect(provider.published.count == 4)
            #expect(Set(provider.published.map(\.privateKey)).count == 4)
            await store.stop()
        }
    }

    @Test("a wall clock that jumps ahead is noticed at the next look")
    func clockJump() async throws {
        try await started()
        clock.advance(3000)
        await clock.settled(1)
        #expect(provider.published.count == 2)
    }

    @Test("while the provider is away the last good certificate stays, and attempts come at doubling pauses up to a minute")
    func failures() async throws {
        try await started()
        provider.set { $0.isAway = true }
        clock.advance(3000)
        for _ in 0..<8 {
            await clock.settled(1)
            clock.advance(60)
        }
        await clock.settled(1)
        #expect(provider.pauses.prefix(8) == [1, 2, 4, 8, 16, 32, 60, 60])
        #expect(provider.published.count == 1)
        let status = try #require(await store.status(of: web))
        #expect(status.problem == "the provider is away")
        #expect(status.credentials === provider.published[0])

        provider.set { $0.isAway = false }
        clock.advance(60)
        while provider.published.count < 2 { await Task.yield() }
        await clock.settled(1)
        #expect(await store.status(of: web)?.problem == nil)
        #expect(provider.pauses.count == 9)
    }

    @Test("pauses are spread by 20 % either way")
    func jitter() async throws {
        for (chance, pause) in [(0.0, Int64(48)), (1.0, 72)] {
            let clock = ManualClock(1_800_000_000)
            clock.setChance(chance)
            let provider = Provider(authority, clock), store = provider.store()
            provider.set { $0.isAway = true }
            await store.setUnits([web: tags(web)])
            try await store.setIssuer("one", trust: trust(authority))
            for _ in 0..<8 {
                await clock.settled(1)
                clock.advance(100)
            }
            await clock.settled(1)
            #expect(provider.pauses.last == pause)
            await store.stop()
        }
    }

    @Test("another issuer, or other tags, bring a new certificate at once; the same ones bring none")
    func changes() async throws {
        try await started()
        let other = try TestAuthority(now: clock.now)
        await store.setUnits([web: tags(web, "app=web")])
        try await store.setIssuer("one", trust: trust(authority, other, generation: 2))
        #expect(provider.requests.count == 1)

        provider.set { $0.authority = other }
        try await store.setIssuer("two", trust: trust(authority, other, generation: 3))
        while provider.published.count < 2 { await Task.yield() }
        #expect(provider.published[1].issuerID == "two")

        await store.setUnits([web: tags(web, "app=web", "tier=front")])
        while provider.published.count < 3 { await Task.yield() }
        #expect(try LeafFacts(decoding: provider.published[2].chain[0]).tags.contains("tier=front"))
        await clock.settled(1)
        #expect(provider.requests.count == 3)
    }

    @Test("a unit that is gone is no longer renewed")
    func removed() async throws {
        try await started()
        await store.setUnits([:])
        await clock.settled(0)
        #expect(await store.status(of: web) == nil)
        clock.advance(3600)
        #expect(provider.requests.count == 1)
    }

    @Test("what peers would refuse does not take the place of a good certificate", arguments: CertificateFlaw.allCases)
    func bad(_ flaw: CertificateFlaw) async throws {
        try await started()
        provider.set { $0.flaw = flaw }
        clock.advance(3000)
        while provider.pauses.isEmpty { await Task.yield() }
        #expect(provider.published.count == 1)
        #expect(await store.status(of: web)?.credentials === provider.published[0])
        await store.stop()
    }

    @Test("a certificate for another unit or another key, or of an authority that is not trusted, is refused")
    func notAskedFor() async throws {
        try await started()
        let foreign = try TestAuthority(now: clock.now)
        let changes: [@Sendable (inout Provider.State) -> Void] = [
            { $0.misnames = true },
            { $0.misnames = false; $0.usesOtherKey = true },
            { $0.usesOtherKey = false; $0.authority = foreign },
        ]
        for change in changes {
            provider.set { change(&$0); $0.pauses = [] }
            clock.advance(3000)
            while provider.pauses.isEmpty { await Task.yield() }
            #expect(provider.published.count == 1)
            await clock.settled(1)
        }
    }

    @Test("certificates that last no time at all are asked for once a second, not in a storm")
    func shortLived() async throws {
        provider.set { $0.lifetime = 1 }
        try await started()
        for _ in 0..<5 {
            clock.advance(1)
            await clock.settled(1)
        }
        #expect(provider.requests.count <= 6)
    }

    @Test("stopping ends every renewal")
    func stop() async throws {
        try await started()
        await store.stop()
        await clock.settled(0)
        #expect(await store.status(of: web) == nil)
    }
}
