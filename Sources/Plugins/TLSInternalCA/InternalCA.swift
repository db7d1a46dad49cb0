// The plugin: issues leaves from an enforcer's intermediate, tells which roots to trust, and supplies public ports.

import Linux
import PKI
import PluginKit
import SallyportProtocol
import TTRPC

/// The provider `tls-internal-ca` (docs/plugins/tls-internal-ca.md). What was read last without a fault stays in force.
public actor InternalCA: TLSProviderPlugin, PublicTLSPlugin {
    public static let description = PluginDescription(
        name: "tls-internal-ca", version: "0.1.0", summary: "certificates from an internal CA, one intermediate for each enforcer",
        settings: InternalCAConfiguration.settings)
    public static let publicTLSModes = [PublicTLSMode.internalCa]

    /// How long before its end an intermediate is reported: time for an operator to notice and renew it by hand.
    static let warning: Int64 = 30 * 86400

    private let host: PluginHostHandle
    private let clock: PluginClock

    private var configuration: InternalCAConfiguration?
    private var facts = HostFacts()
    private var inForce: InForce?
    /// What is wrong with the folder now; nil when `inForce` is what it holds.
    private var problem: String?
    private var watching: Watching?
    private var watchers: [UInt64: AsyncStream<TrustBundle>.Continuation] = [:]
    private var nextWatcher: UInt64 = 0

    private var services = ServiceCertificates(problem: "the plugin is not configured yet", lifetime: InternalCAConfiguration.defaultServiceLifetime)
    private let serviceStates = Latest<ServiceState<CertificatesEvent>>()
    private var timer: Task<Void, Never>?
    private var isEnded = false

    private struct InForce {
        let authority: EnforcerAuthority
        let bundle: TrustBundle
    }

    private struct Watching {
        let folder: String
        let watch: FolderWatch
        let task: Task<Void, Never>

        func end() {
            watch.stop()
            task.cancel()
        }
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.init(host: host, clock: .realtime) }

    package init(host: PluginHostHandle, clock: PluginClock) {
        self.host = host
        self.clock = clock
    }

    deinit { timer?.cancel() }

    // MARK: Plugin
    // These are async so that they, and not the defaults of the protocol, are what an async caller gets.

    public func validate(_ configuration: InternalCAConfiguration) async -> [ConfigProblem] { configuration.problems() }

    /// A folder that cannot be read is refused only where another is in force: at the start the daemon may well be there
    /// before its certificates, and they are taken up when they come.
    public func configure(_ configuration: InternalCAConfiguration, host facts: HostFacts) async throws {
        let folder = configuration.folder(for: facts)
        let before = watching
        do {
            // Before reading: what changes in between is then reported.
            try watch(folder)
        } catch {
            throw ConfigRefused(field: "directory", "cannot be watched: \(error)")
        }
        switch read(folder, facts) {
        case .success(let read): take(read)
        case .failure(let error):
            if inForce != nil {
                watching?.end()
                watching = before
                throw ConfigRefused(field: "directory", error.description)
            }
            report(error.description)
        }
        before?.end()
        self.configuration = configuration
        self.facts = facts
        readServices(folder)
    }

    public func health() async -> PluginHealth {
        guard let inForce else { return PluginHealth(ready: false, message: problem ?? "not configured yet") }
        let left = inForce.authority.facts.validity.notAfter - clock.now()
        if left <= 0 {
            return PluginHealth(
                ready: false, message: "the enforcer's intermediate has expired; renew it with `sallyport ca enforcer` and copy it here")
        }
        if let problem { return PluginHealth(ready: true, message: "\(problem) (what was there before is still used)") }
        if left < Self.warning {
            return PluginHealth(
                ready: true, message: "the enforcer's intermediate ends in \(left / 86400) days; renew it with `sallyport ca enforcer`")
        }
        return .ready
    }

    public func shutdown() async {
        watching?.end()
        watching = nil
        timer?.cancel()
        timer = nil
        isEnded = true
        for watcher in watchers.values { watcher.finish() }
    }

    // MARK: TLSProvider

    public func issue(_ request: IssueRequest) async throws -> IssueResponse {
        guard let configuration, let inForce else {
            throw RPCError(.unavailable, problem ?? "the plugin is not configured yet")
        }
        let issued: IssuedCertificate
        do {
            issued = try inForce.authority.issue(
                namespace: NamespacePath(request.namespace), name: request.name, tags: request.tags, publicKey: Array(request.publicKey),
                now: clock.now(), lifetime: configuration.lifetimeSeconds ?? InternalCAConfiguration.defaultLifetime)
        } catch let error as PKIError {
            throw RPCError(.invalidArgument, error.description)
        }
        var response = IssueResponse()
        response.chain = issued.chain.map { .init($0) }
        response.notBefore = issued.validity.notBefore
        response.notAfter = issued.validity.notAfter
        response.spiffeID = issued.spiffeID.description
        return response
    }

    public func watchTrust(_ bundles: MessageSender<TrustBundle>) async throws {
        // Only the newest matters to a reader that is behind.
        let (stream, continuation) = AsyncStream.makeStream(of: TrustBundle.self, bufferingPolicy: .bufferingNewest(1))
        let id = nextWatcher
        nextWatcher += 1
        watchers[id] = continuation
        defer { watchers[id] = nil }
        if let inForce { continuation.yield(inForce.bundle) }
        for await bundle in stream { try await bundles.send(bundle) }
        try Task.checkCancellation()
    }

    // MARK: PublicTLS

    public func updateServices(_ request: UpdatePublicServicesRequest) async throws {
        services.update(request)
        turn()
    }

    public func watchCertificates(_ events: MessageSender<CertificatesEvent>) async throws { try await serviceStates.send(to: events) }

    /// A fault here leaves the enforcer's own part alone.
    private func readServices(_ folder: String) {
        var problem = ""
        var read: ServiceFolder?
        do throws(PKIError) {
            read = try ServiceFolder(reading: folder)
        } catch {
            problem = error.description
        }
        services.use(
            read?.authority, problem: problem,
            lifetime: configuration?.serviceLifetimeSeconds ?? InternalCAConfiguration.defaultServiceLifetime)
        turn()
    }

    /// Does what is due, and sets the timer for what comes next.
    private func turn() {
        timer?.cancel()
        if isEnded { return }
        services.advance(to: clock.now())
        if services.hasServices, serviceStates.value?.revision != services.state.revision { serviceStates.set(services.state) }
        guard let deadline = services.deadline else { return }
        timer = host.task { [weak self, clock] in
            if await clock.wait(deadline) { await self?.turn() }
        }
    }

    // MARK: The folder

    private func watch(_ folder: String) throws {
        let watch = try FolderWatch(folder)
        let changes = watch.changes
        let task = host.task { [weak self] in
            for await _ in changes { await self?.reload() }
        }
        watching = Watching(folder: folder, watch: watch, task: task)
    }

    private func reload() {
        guard let configuration else { return }
        let folder = configuration.folder(for: facts)
        if let before = watching, before.folder != folder, (try? watch(folder)) != nil { before.end() }  // a CA was made in `directory`
        switch read(folder, facts) {
        case .success(let read): take(read)
        case .failure(let error): report(error.description)
        }
        readServices(folder)
    }

    private func read(_ folder: String, _ facts: HostFacts) -> Result<EnforcerFolder, PKIError> {
        Result { () throws(PKIError) in
            let read = try EnforcerFolder(reading: folder)
            if !facts.trustDomain.isEmpty, read.trust.trustDomain != facts.trustDomain {
                throw .file(
                    path: folder, problem: "is of trust domain \(read.trust.trustDomain), and the daemon of \(facts.trustDomain)",
                    mend: "give it the folder of its own CA, or correct trustDomain in sallyportd.yaml")
            }
            return read
        }
    }

    private func take(_ read: EnforcerFolder) {
        guard let issuerID = try? read.authority.issuerID else { return report("the enforcer's intermediate cannot be encoded") }
        problem = nil
        let roots = read.trust.roots
        if let old = inForce?.bundle, old.issuerID == issuerID, old.roots.map(Array.init) == roots { return }
        var bundle = TrustBundle()
        bundle.roots = roots.map { .init($0) }
        bundle.issuerID = issuerID
        bundle.trustDomain = read.trust.trustDomain
        // From the clock, so that it rises over restarts too.
        bundle.generation = max((inForce?.bundle.generation ?? 0) + 1, UInt64(clamping: clock.now()))
        inForce = InForce(authority: read.authority, bundle: bundle)
        host.log(.notice, "issuer \(issuerID.prefix(16)) and \(roots.count) trusted root(s) of \(bundle.trustDomain) are in force")
        for watcher in watchers.values { watcher.yield(bundle) }
    }

    private func report(_ text: String) {
        if problem != text { host.log(.error, text) }
        problem = text
    }
}
