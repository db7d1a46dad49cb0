// Certificates of this node's units: asked for when a unit comes, and again in time.

import Identity
import Linux
import Logging
import Policy
import SallyportProtocol

/// Keeps every local unit with a certificate that is good, and says so when one changes.
///
/// A unit's certificate is renewed at two thirds of its life, when its tags change, and when the issuer
/// does. Until the new one is there the old one serves.
actor CredentialStore {
    typealias Issue = @Sendable (Sallyport_Plugin_V1_IssueProcessingUnitRequest) async throws -> Sallyport_Plugin_V1_IssueProcessingUnitResponse
    typealias Changed = @Sendable (UnitKey, UnitCredentials) async -> Void

    private let issue: Issue
    private let changed: Changed
    private let logger: Logger
    private var units: [UnitKey: Entry] = [:]
    private var issuerID: String?
    /// Units whose last request failed.
    private var waiting: Set<UnitKey> = []

    /// A failed request is made again after this long, doubled each time up to the limit.
    private static let firstRetry = Duration.seconds(1)
    private static let lastRetry = Duration.seconds(60)

    private struct Entry {
        var tags: [String]
        var task: Task<Void, Never>
    }

    init(logger: Logger, issue: @escaping Issue, changed: @escaping Changed) {
        self.logger = logger
        self.issue = issue
        self.changed = changed
    }

    /// The units that need certificates, with all their tags; others are forgotten.
    func setUnits(_ wanted: [(UnitKey, [String])]) {
        let tags = Dictionary(wanted, uniquingKeysWith: { first, _ in first })
        for (key, entry) in units where tags[key] == nil {
            entry.task.cancel()
            units[key] = nil
            waiting.remove(key)
        }
        for (key, tags) in tags where units[key]?.tags != tags { begin(key, tags) }
    }

    /// Another issuer: every certificate is asked for anew.
    func setIssuer(_ id: String) {
        if id == issuerID { return }
        issuerID = id
        for (key, entry) in units { begin(key, entry.tags) }
    }

    /// Asks again now for what is waiting: a provider may have come back.
    func retry() {
        for key in waiting { if let entry = units[key] { begin(key, entry.tags) } }
    }

    func stop() {
        for entry in units.values { entry.task.cancel() }
        units = [:]
    }

    private func begin(_ key: UnitKey, _ tags: [String]) {
        units[key]?.task.cancel()
        units[key] = Entry(tags: tags, task: Task { await self.keepIssued(key, tags) })
    }

    private func keepIssued(_ key: UnitKey, _ tags: [String]) async {
        var pause = CredentialStore.firstRetry
        while !Task.isCancelled {
            do {
                let credentials = try await request(key, tags)
                if Task.isCancelled { return }
                waiting.remove(key)
                await changed(key, credentials)
                pause = CredentialStore.firstRetry
                try await Task.sleep(for: untilRenewal(of: credentials))
            } catch is CancellationError {
                return
            } catch {
                if Task.isCancelled { return }
                waiting.insert(key)
                logger.warning("certificate-not-issued", metadata: ["unit": "\(key)", "error": "\(error)", "again": "\(pause)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, CredentialStore.lastRetry)
            }
        }
    }

    private func request(_ key: UnitKey, _ tags: [String]) async throws -> UnitCredentials {
        guard let keys = KeyPair.generate() else { throw SystemCallError(call: "EVP_PKEY_generate", errno: ENOMEM) }
        let response = try await issue(.with {
            $0.namespace = key.namespace
            $0.name = key.name
            $0.tags = tags
            $0.publicKey = .init(keys.publicKey)
        })
        return UnitCredentials(
            chain: response.chain.map { Array($0) }, privateKey: keys.privateKey, spiffeID: response.spiffeID,
            notBefore: response.notBefore, notAfter: response.notAfter, issuerID: issuerID ?? "")
    }

    /// Two thirds of the life, give or take a twentieth so that units do not all ask at once; a minute at least.
    private func untilRenewal(of credentials: UnitCredentials) -> Duration {
        let now = clinux_realtime() / 1_000_000_000
        let life = max(0, credentials.notAfter - credentials.notBefore)
        let due = credentials.notBefore + life * 2 / 3 + Int64.random(in: -life / 20...life / 20)
        return .seconds(max(60, due - now))
    }
}
