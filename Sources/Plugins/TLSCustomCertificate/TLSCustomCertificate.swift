// The plugin: certificates that services bring themselves, inline or in files, followed as they change
// (docs/plugins/tls-custom-certificate.md).

import Linux
import PluginKit
import SallyportProtocol

/// Supplies public ports of services with `tls.mode: CustomCertificate`. What was last without a fault stays in force.
public actor TLSCustomCertificate: PublicTLSPlugin {
    public struct Configuration: Decodable, Sendable {
        public init() {}
    }

    public static let description = PluginDescription(
        name: "tls-custom-certificate", version: "0.1.0", summary: "public ports with certificates of services' own, from policy or files")
    public static let publicTLSModes = [PublicTLSMode.customCertificate]

    /// For folders that cannot be watched: as often as `FolderWatch` looks by itself.
    private static let lookAgain: Int64 = 10

    private struct Entry {
        let service: PublicService
        var pair: ServedPair
        /// Of its files, as the links lead now.
        var folders: Set<String> = []
    }

    private let host: PluginHostHandle
    private let clock: PluginClock
    private var entries: [Sallyport_Policy_V1_ObjectKey: Entry] = [:]
    private var state = ServiceState<CertificatesEvent>()
    private let states = Latest<ServiceState<CertificatesEvent>>()
    private let watches = FileWatches()
    /// Whether the host has said which services there are; without, "none" would be a lie.
    private var hasServices = false
    private var isEnded = false
    private var timer: Task<Void, Never>?
    /// When folders that cannot be watched are read next.
    private var nextLook: Int64 = 0

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.init(host: host, clock: .realtime) }

    package init(host: PluginHostHandle, clock: PluginClock) {
        self.host = host
        self.clock = clock
    }

    deinit { timer?.cancel() }

    public func configure(_ configuration: Configuration, host facts: HostFacts) async throws {}

    public func health() async -> PluginHealth {
        guard !watches.unwatched.isEmpty else { return .ready }
        return PluginHealth(
            ready: true,
            message: """
                \(watches.unwatched.count) folders cannot be watched and are read every \(Self.lookAgain) seconds; put certificates into fewer folders, \
                or raise fs.inotify.max_user_instances
                """)
    }

    public func shutdown() async {
        isEnded = true
        timer?.cancel()
        watches.stop()
    }

    public func updateServices(_ request: UpdatePublicServicesRequest) async throws {
        let kept = Set(request.upserts.map(\.key))
        for key in request.replaceAll ? Array(entries.keys.filter { !kept.contains($0) }) : request.removes {
            entries[key] = nil
            state.remove(key)
        }
        for service in request.upserts {
            var pair = ServedPair(PairSource(service), after: nil)
            if let before = entries[service.key]?.pair {
                pair = before.source == pair.source ? before : ServedPair(pair.source, after: before)
            }
            entries[service.key] = Entry(service: service, pair: pair)
            // What the host had of a service that it names again it may have forgotten.
            state.remove(service.key)
        }
        hasServices = true
        look { kept.contains($0.service.key) }
    }

    public func watchCertificates(_ events: MessageSender<CertificatesEvent>) async throws { try await states.send(to: events) }

    /// Reads what is wanted, tells what is new, and sets the timer for what comes next.
    private func look(at isWanted: (Entry) -> Bool) {
        if isEnded { return }
        let now = clock.now()
        let unwatched = nextLook <= now ? watches.unwatched : []
        if nextLook <= now { nextLook = now + Self.lookAgain }
        let wanted = Set(entries.filter { isWanted($0.value) || !$0.value.folders.isDisjoint(with: unwatched) }.keys)
        // Before reading: what changes in between is then reported. Links may lead elsewhere now.
        for (key, entry) in entries where wanted.contains(key) {
            entries[key]?.folders = Set(entry.pair.source.paths.filter { $0.hasPrefix("/") }.flatMap(FileWatches.folders))
        }
        watches.follow(entries.values.reduce(into: []) { $0.formUnion($1.folders) }) { folder, changes in
            host.task { [weak self] in
                for await _ in changes { await self?.look { $0.folders.contains(folder) } }
            }
        }
        for (key, entry) in entries where wanted.contains(key) { entries[key]?.pair.learn(entry.pair.source.read(), at: now) }
        tell(now)
    }

    private func tell(_ now: Int64) {
        timer?.cancel()
        var deadlines: [Int64] = watches.unwatched.isEmpty ? [] : [nextLook]
        for (key, entry) in entries {
            let message = entry.pair.message(entry.service, at: now)
            if state[key] != message {
                if !message.problem.isEmpty, message.problem != state[key]?.problem {
                    host.log(.warning, "\(key.namespace)/\(key.name): \(message.problem)")
                }
                state.set(message)
            }
            if let deadline = entry.pair.deadline(after: now) { deadlines.append(deadline) }
        }
        if hasServices, states.value?.revision != state.revision { states.set(state) }
        guard let deadline = deadlines.min() else { return }
        timer = host.task { [weak self, clock] in
            if await clock.wait(deadline) { await self?.wake() }
        }
    }

    /// A time has come: something is to be said that was not, or folders that cannot be watched are to be read.
    private func wake() { look { _ in false } }
}
