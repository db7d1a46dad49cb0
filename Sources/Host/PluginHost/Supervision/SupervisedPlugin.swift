// One drop-in's plugin: started, configured, watched, looked after, started again (docs/plugin-abi.md §8).

import CSallyportPlugin
import Linux
import Logging
import PluginCarriers
import SallyportProtocol
import TTRPC

/// The life of one plugin. Its state is `standing`; all that it supplies goes to the sink.
actor SupervisedPlugin {
    nonisolated let name: String
    nonisolated let configuration: PluginHostConfiguration
    nonisolated let facts: Sallyport_Plugin_V1_HostFacts
    nonisolated let sink: any PluginSink
    nonisolated let logger: Logger

    /// What it runs under; a refused configuration leaves it as it was.
    private(set) var dropIn: DropIn
    private(set) var standing = Standing()
    private(set) var description = Sallyport_Plugin_V1_DescribeResponse()
    private(set) var running: RunningPlugin?
    private var restarts: UInt32 = 0
    private var life: Task<Void, Never>?
    private var serving: UInt64?
    private var mirror = PolicyMirror()
    /// The services whose frontends it resolves, and those whose public ports it supplies.
    nonisolated let adapted = ServiceDesk<Sallyport_Plugin_V1_UpdateServicesRequest>()
    nonisolated let published = ServiceDesk<Sallyport_Plugin_V1_UpdatePublicServicesRequest>()
    /// Asks for the modes of public ports that it describes itself for; why it may not have them, or nil.
    nonisolated let claim: @Sendable (SupervisedPlugin, [PublicTLSMode]) async -> String?

    init(
        _ dropIn: DropIn, configuration: PluginHostConfiguration, facts: Sallyport_Plugin_V1_HostFacts, sink: any PluginSink, logger: Logger,
        claim: @escaping @Sendable (SupervisedPlugin, [PublicTLSMode]) async -> String?
    ) {
        self.dropIn = dropIn
        name = dropIn.name
        self.configuration = configuration
        self.facts = facts
        self.sink = sink
        self.claim = claim
        var logger = logger
        logger[metadataKey: "plugin"] = "\(dropIn.name)"
        self.logger = logger
    }

    // MARK: From the host

    func start() {
        guard !dropIn.isDisabled else { return change { $0.ended(.disabled) } }
        change { $0.starts() }
        life = Task { await live() }
    }

    func stop() async {
        life?.cancel()
        await life?.value
        life = nil
    }

    /// Ends it until its drop-in or its file changes.
    func refuse(_ reason: String) async {
        await stop()
        change { $0.ended(.failed(reason)) }
    }

    /// Takes everything back that the plugin supplied: its drop-in is gone.
    func withdraw() async {
        for event in mirror.removeAll() { await sink.policy(source: name, event) }
    }

    /// Runs under `new`: with a restart if need be, else by a new configuration, and untouched if nothing changed.
    /// - Returns: Why the configuration was refused; empty if all is well.
    func apply(_ new: DropIn) async -> [String] {
        var isFailed = false
        if case .failed = standing.phase { isFailed = true }
        let isReconfigured = new.configJSON != dropIn.configJSON
        if isFailed || new.needsRestart(from: dropIn) || isReplaced() || isReconfigured && standing.phase != .serving {
            await stop()
            dropIn = new
            start()
            return []
        }
        if isReconfigured {
            let problems = await configure(new)
            guard problems.isEmpty else {
                change { $0.note(.configuration, "the new configuration was refused, the one before is in force: \(problems.joined(separator: "; "))") }
                return problems
            }
        }
        change { $0.clear(.configuration) }
        dropIn = new
        return []
    }

    /// Whether another file is there now than the one that was started.
    private func isReplaced() -> Bool {
        guard let running, let now = try? PluginFile(named: dropIn.plugin, in: configuration.pluginDirectory) else { return false }
        return now.identity != running.file.identity
    }

    func status() -> Sallyport_Control_V1_PluginStatus {
        .with {
            $0.name = name
            $0.kinds = description.kinds.isEmpty ? [dropIn.kind].compactMap(\.self) : description.kinds
            $0.isolation = dropIn.isolation.rawValue
            $0.state = standing.state
            $0.version = description.version
            $0.message = standing.message
            $0.restarts = restarts
            $0.required = dropIn.isRequired
            $0.dropIn = dropIn.file
            $0.pid = running?.process?.pid ?? 0
        }
    }

    // MARK: Life

    enum Ending: Sendable {
        /// Cancelled.
        case wanted
        /// It may be better next time.
        case failed(String)
        /// It will be the same until the file or the drop-in changes.
        case refused(String)
    }

    private func live() async {
        var backoff = Backoff(configuration.times)
        while true {
            switch await liveOnce() {
            case .wanted: return
            case .refused(let reason): return change { $0.ended(.failed(reason)) }
            case .failed(let reason):
                if let serving, clinux_monotonic() - serving >= configuration.times.settled.nanoseconds { backoff.reset() }
                let pause = backoff.next()
                change { $0.ended(.backoff("\(reason); starts again after \(pause.shown)")) }
                // Cancelled: the next round ends at once.
                try? await Task.sleep(for: pause)
                if Task.isCancelled { return }
                restarts += 1
                change { $0.starts() }
            }
        }
    }

    private func liveOnce() async -> Ending {
        let running: RunningPlugin
        do {
            running = try await RunningPlugin(dropIn, configuration, logger)
        } catch let fault as PluginFault {
            return fault.isPassing ? .failed("\(fault)") : .refused("\(fault)")
        } catch let error as NotALibrary {
            return .refused("\(error)")
        } catch {
            return .failed("it could not be started: \(error)")
        }
        self.running = running
        defer { self.running = nil }
        serving = nil
        return await withTaskGroup(of: Ending.self) { group in
            group.addTask { await self.work(running) }
            if let process = running.process {
                group.addTask { self.ending(await process.exit(), running.log) }
            }
            var first = await group.next() ?? .wanted
            // The connection's end may be seen before that of the process, which says more.
            if case .failed = first, let exit = await running.process?.exit(within: .milliseconds(500)) { first = ending(exit, running.log) }
            group.cancelAll()
            await running.end(configuration.times)
            return Task.isCancelled ? .wanted : first
        }
    }

    private nonisolated func ending(_ exit: PluginExit, _ log: PluginLogSink) -> Ending {
        if exit == .configuration { return .refused(log.lastError ?? "\(exit): it cannot work until its file or drop-in changes") }
        return .failed(log.lastError.map { "\(exit); its last error: \($0)" } ?? "\(exit)")
    }

    // MARK: State

    /// Changes the state, and tells the log and the sink if others can see it.
    func change(_ body: (inout Standing) -> Void) {
        let before = (standing.state, standing.message)
        body(&standing)
        if standing.phase == .serving { serving = serving ?? clinux_monotonic() }
        guard before != (standing.state, standing.message) else { return }
        let level: Logger.Level = [.ready, .starting, .disabled].contains(standing.state) ? .info : .warning
        logger.log(level: level, "plugin-state", metadata: ["state": "\(standing.state.shown)", "message": "\(standing.message)"])
        Task { await sink.pluginsChanged() }
    }

    func described(_ description: Sallyport_Plugin_V1_DescribeResponse) { self.description = description }

    func begins(_ watch: Standing.Watch) { if watch == .policy { mirror.restart() } }

    func mirrored(_ event: Sallyport_Plugin_V1_PolicyEvent) -> [Sallyport_Plugin_V1_PolicyEvent] { mirror.take(event) }
}

extension PluginFault {
    /// Whether the next try may end otherwise though nobody changed a file.
    fileprivate var isPassing: Bool {
        switch self {
        case .notStarted(_, let error): [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY].contains(error.errno)
        case .unreadable(let error): [EMFILE, ENFILE, EIO].contains(error.errno)
        default: false
        }
    }
}

extension Standing.State {
    /// "ready"
    var shown: String {
        switch self {
        case .starting: "starting"
        case .ready: "ready"
        case .degraded: "degraded"
        case .backoff: "backoff"
        case .failed: "failed"
        case .disabled: "disabled"
        case .UNRECOGNIZED(let number): "\(number)"
        }
    }
}
