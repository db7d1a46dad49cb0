// The daemon's life: start everything in the order in which it is needed, run, end in the reverse.

import ControlAPI
import DataPath
import FlowLog
import Identity
import Interception
import Linux
import Logging
import PluginHost
import Policy
import SallyportProtocol

/// One enforcer as a process.
public struct Daemon: Sendable {
    let configuration: DaemonConfiguration
    let level: LogLevel
    let logger = Logger(label: "sallyportd")

    public init(configuration: DaemonConfiguration, level: LogLevel) {
        self.configuration = configuration
        self.level = level
    }

    /// Runs until SIGTERM or SIGINT, or until it is drained.
    /// - Parameter uninstallAtEnd: Remove all interception when it ends; otherwise the units' flows fail closed.
    /// - Throws: What kept it from starting, in one sentence.
    public func run(uninstallAtEnd: Bool) async throws {
        let signals = try DaemonSignal.stream()
        raiseDescriptorLimit()
        try makeDirectory(configuration.stateDirectory, mode: 0o700)
        let flowLog = try FlowLog(configuration: configuration.flowLog, enforcer: configuration.enforcer, logger: Logger(label: "flow-log"))
        defer { flowLog.stop() }
        let marks = ConnectionMarks.standard
        var settings = DataPathConfiguration(dialMark: marks.outgoing, deliveryMark: marks.application)
        settings.workers = configuration.workers
        settings.maximumConnections = configuration.limits.maxConnections
        settings.timeouts = configuration.timeouts
        settings.resumption = configuration.tls.resumption
        settings.publicEngine = configuration.tls.publicEngine
        // What does not fit is decided without names, when its time is over.
        let (nameless, namelessYield) = AsyncStream.makeStream(of: IPAddress.self, bufferingPolicy: .bufferingOldest(ClientNames.mostWaiting))
        let dataPath = try DataPath(configuration: settings) { flowLog.append($0) } askNames: { namelessYield.yield($0) }
        let enforcer = Enforcer(configuration: configuration, dataPath: dataPath, hostname: hostname(), logger: Logger(label: "enforcer"))
        let plugins = PluginHost(
            configuration: PluginHostConfiguration(
                dropInDirectory: configuration.plugins.dropIns, pluginDirectory: configuration.plugins.directory, runnerPath: configuration.plugins.runner),
            facts: .with {
                $0.enforcer = configuration.enforcer
                $0.trustDomain = configuration.trustDomain
                $0.stateDirectory = configuration.stateDirectory
            }, sink: enforcer, logger: Logger(label: "plugins"))
        let store = credentialStore(plugins, enforcer)
        await enforcer.wire(plugins: plugins, store: store)

        let (drained, drain) = AsyncStream.makeStream(of: Void.self)
        let endpoint = ControlEndpoint(enforcer: enforcer, plugins: plugins, flows: flowLog, dataPath: dataPath, level: level) { drain.yield() }
        let control = try ControlServer(
            path: configuration.socket.path, group: configuration.socket.group, service: endpoint, logger: Logger(label: "control"))
        let metrics = try metricsServer(endpoint)
        let serving = Task { try await control.run() }
        await plugins.start()
        logger.info("started", metadata: ["enforcer": "\(configuration.enforcer)", "version": "\(sallyportVersion)"])
        notifyServiceManager("READY=1")

        let watch = Task { await enforcer.watchNamespaces() }
        let naming = Task { for await client in nameless { await enforcer.name(client) } }
        await live(signals, drained, dataPath, plugins, flowLog)

        notifyServiceManager("STOPPING=1")
        logger.info("stopping")
        watch.cancel()
        naming.cancel()
        await store.stop()
        metrics?.stop()
        await control.stop()
        serving.cancel()
        await plugins.stop()
        if uninstallAtEnd { await enforcer.uninstall() }
        dataPath.stop()
        await dataPath.ended()
        if uninstallAtEnd { await enforcer.removeRoutes() }
        flowLog.flush()
    }

    /// Waits for the end, and does what signals ask for until then.
    private func live(
        _ signals: AsyncStream<DaemonSignal>, _ drained: AsyncStream<Void>, _ dataPath: DataPath, _ plugins: PluginHost, _ flowLog: FlowLog
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await signal in signals {
                    switch signal {
                    case .stop: return
                    case .reload:
                        flowLog.reopen()
                        for problem in await plugins.reload() { logger.error("reload-problem", metadata: ["problem": "\(problem)"]) }
                    }
                }
            }
            group.addTask {
                for await _ in drained {
                    logger.info("draining", metadata: ["live": "\(dataPath.count().live)"])
                    dataPath.drain()
                    await dataPath.ended()
                    return
                }
            }
            _ = await group.next()
            group.cancelAll()
        }
    }

    private func credentialStore(_ plugins: PluginHost, _ enforcer: Enforcer) -> CredentialStore {
        let logger = Logger(label: "certificates")
        return CredentialStore { request in
            let issued = try await plugins.issue(
                .with {
                    $0.namespace = request.unit.namespace
                    $0.name = request.unit.name
                    $0.tags = request.tags
                    $0.publicKey = .init(request.publicKey)
                })
            return issued.chain.map { Array($0) }
        } publish: { unit, credentials in
            await enforcer.take(credentials, for: UnitKey(unit))
        } failed: { unit, problem, retrySeconds in
            logger.warning("certificate-not-issued", metadata: ["unit": "\(unit)", "error": "\(problem)", "again": "\(retrySeconds) s"])
        }
    }

    private func metricsServer(_ endpoint: ControlEndpoint) throws -> MetricsServer? {
        guard let address = configuration.metrics.address else { return nil }
        return try MetricsServer(address: address, group: configuration.socket.group, logger: Logger(label: "metrics")) {
            await endpoint.metricsSnapshot()
        }
    }

    /// Every flow is two descriptors: takes all that the hard limit allows; getrlimit(2).
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func makeDirectory(_ path: String, mode: mode_t) throws(SystemCallError) {
        if mkdir(path, mode) != 0 && clinux_errno() != EEXIST {
            throw SystemCallError(call: "mkdir", errno: clinux_errno(), subject: path)
        }
    }
}

/// The node's name, gethostname(2).
public func hostname() -> String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
