// The plugins of a daemon: one for each drop-in, compared with the drop-ins at every reload.

import CSallyportPlugin
import Linux
import Logging
import PluginCarriers
import SallyportProtocol
import TTRPC

/// Runs the plugins that the drop-ins name, and is where the daemon asks for what they supply.
public actor PluginHost {
    private let configuration: PluginHostConfiguration
    private let facts: Sallyport_Plugin_V1_HostFacts
    private let sink: any PluginSink
    private let logger: Logger

    private var plugins: [String: SupervisedPlugin] = [:]
    private var broken: [DropInDirectory.Broken] = []
    /// By adapter, for plugins that come later.
    private var services: [String: ServiceBook<Sallyport_Plugin_V1_UpdateServicesRequest>] = [:]
    private var publicPorts = PublicPortRouting()
    /// The last reload: they come one after the other.
    private var reloading: Task<[String], Never>?
    private var isStopped = false

    /// - Parameters:
    ///   - facts: What plugins are told of the enforcer.
    ///   - sink: Takes what they supply.
    public init(
        configuration: PluginHostConfiguration, facts: Sallyport_Plugin_V1_HostFacts, sink: any PluginSink, logger: Logger
    ) {
        self.configuration = configuration
        self.facts = facts
        self.sink = sink
        self.logger = logger
    }

    // MARK: Life

    /// Starts the plugins of all drop-ins; comes back before they are ready.
    public func start() async {
        for problem in await reload() { logger.error("drop-in-refused", metadata: ["problem": "\(problem)"]) }
    }

    /// Ends every plugin. What they supplied stays with the sink.
    public func stop() async {
        isStopped = true
        _ = await reloading?.value
        await withTaskGroup { group in
            for plugin in plugins.values { group.addTask { await plugin.stop() } }
        }
        plugins = [:]
    }

    /// Reads the drop-ins again. Plugins whose drop-in is the same are left alone; a refused drop-in or configuration leaves
    /// what it was for as it is.
    /// - Returns: What is wrong: "FILE:LINE:COLUMN: FIELD: MESSAGE".
    public func reload() async -> [String] {
        let before = reloading
        let reload = Task {
            _ = await before?.value
            return await compare(DropInDirectory(reading: configuration.dropInDirectory))
        }
        reloading = reload
        return await reload.value
    }

    private func compare(_ directory: DropInDirectory) async -> [String] {
        if isStopped { return [] }
        // Nothing is known of what it holds, so nothing changes.
        if let problem = directory.problem { return [problem] }
        var problems = directory.broken.flatMap(\.problems)
        let brokenBefore = broken
        broken = directory.broken
        let kept = Set(directory.dropIns.map(\.name)).union(directory.broken.compactMap(\.name))
        for (name, plugin) in plugins where !kept.contains(name) {
            plugins[name] = nil
            publicPorts.release(name)
            await plugin.stop()
            await plugin.withdraw()
        }
        // First, so that another drop-in may have its modes in the same reload.
        for dropIn in directory.dropIns where dropIn.isDisabled { publicPorts.release(dropIn.name) }
        for dropIn in directory.dropIns {
            if let plugin = plugins[dropIn.name] {
                problems += await plugin.apply(dropIn)
                if dropIn.isDisabled { await plugin.withdraw() }
            } else {
                await begin(dropIn)
            }
        }
        if broken != brokenBefore { await sink.pluginsChanged() }
        return problems
    }

    private func begin(_ dropIn: DropIn) async {
        let plugin = SupervisedPlugin(dropIn, configuration: configuration, facts: facts, sink: sink, logger: logger) {
            [weak self] plugin, modes in await self?.claim(plugin, modes)
        }
        plugins[dropIn.name] = plugin
        if let book = services[dropIn.adapterName] {
            plugin.adapted.apply(upserts: Array(book.services.values), removes: [], replaceAll: true)
        }
        await plugin.start()
    }

    // MARK: State

    /// One for each drop-in, by file name; also for those that cannot be read.
    public func status() async -> [Sallyport_Control_V1_PluginStatus] {
        var all: [Sallyport_Control_V1_PluginStatus] = []
        for plugin in plugins.values { all.append(await plugin.status()) }
        for broken in broken {
            let message = broken.problems.joined(separator: "; ")
            if let index = all.firstIndex(where: { $0.name == broken.name && $0.dropIn == broken.file }) {
                all[index].message += (all[index].message.isEmpty ? "" : "; ") + "its drop-in was refused, the one before is in force: \(message)"
            } else {
                all.append(
                    .with {
                        $0.name = broken.name ?? broken.file
                        $0.dropIn = broken.file
                        $0.state = .failed
                        $0.message = message
                    })
            }
        }
        return all.sorted { $0.dropIn < $1.dropIn }
    }

    /// Whether every plugin with `required: true` has delivered once; false while a drop-in that may say so cannot be read.
    public var requiredReady: Bool {
        get async {
            for plugin in plugins.values {
                if await plugin.dropIn.isRequired, await !plugin.standing.hasDelivered { return false }
            }
            // One that was read before runs as it was.
            return broken.allSatisfy { !$0.mayBeRequired || $0.name.map { plugins[$0] != nil } ?? false }
        }
    }

    // MARK: What plugins supply

    /// Has a certificate issued by the first TLS provider that runs, in the order of drop-ins.
    /// - Throws: `RPCError`; `.unavailable` if there is none.
    public func issue(
        _ request: Sallyport_Plugin_V1_IssueProcessingUnitRequest
    ) async throws -> Sallyport_Plugin_V1_IssueProcessingUnitResponse {
        var names: [(file: String, plugin: SupervisedPlugin)] = []
        for plugin in plugins.values { names.append((await plugin.dropIn.file, plugin)) }
        for (_, plugin) in names.sorted(by: { $0.file < $1.file }) where await plugin.issues {
            return try await plugin.issue(request)
        }
        throw RPCError(.unavailable, "no TLS provider runs: see `sallyport plugins`, and add one to \(configuration.dropInDirectory)")
    }

    /// Tells an adapter which services it resolves. Kept, and told again, when the adapter starts later or again.
    /// - Parameter adapter: As services name it; "static" is the plugin load-balancer-static.
    public func updateServices(
        adapter: String, upserts: [Sallyport_Plugin_V1_AdaptedService], removes: [Sallyport_Policy_V1_ObjectKey], replaceAll: Bool
    ) async {
        services[adapter, default: ServiceBook()].apply(upserts: upserts, removes: removes, replaceAll: replaceAll)
        var isThere = false
        for plugin in plugins.values where await plugin.dropIn.adapterName == adapter {
            isThere = true
            plugin.adapted.apply(upserts: upserts, removes: removes, replaceAll: replaceAll)
        }
        if !isThere && !upserts.isEmpty { reportMissing(adapter, upserts.map(\.key)) }
    }

    private func reportMissing(_ adapter: String, _ services: [Sallyport_Policy_V1_ObjectKey]) {
        let problem = "no drop-in in \(configuration.dropInDirectory) starts the load-balancer adapter \"\(adapter)\""
        let event = Sallyport_Plugin_V1_FrontendsEvent.with {
            $0.changed = services.map { service in
                .with {
                    $0.service = service
                    $0.problem = problem
                }
            }
        }
        // The sink may be the one that is waiting for `updateServices`.
        Task { await sink.frontends(adapter: adapter, event) }
    }

    /// Asks the adapter that resolves names for those of an address.
    /// - Throws: `RPCError`; `.unavailable` if the adapter does not run.
    public func names(of address: [UInt8]) async throws -> Sallyport_Plugin_V1_NamesOfResponse {
        for plugin in plugins.values where await plugin.dropIn.adapterName == "static" {
            if let running = await plugin.running {
                // A name server that is slow, not the plugin, is what keeps an answer: that is no fault to note.
                return try await running.channel.call(
                    service: SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, method: "NamesOf", Sallyport_Plugin_V1_NamesOfRequest.with { $0.address = .init(address) },
                    timeout: PluginHost.longestLookUp)
            }
        }
        throw RPCError(.unavailable, "no plugin load-balancer-static runs: see `sallyport plugins`")
    }

    /// As long as a connection waits for the names of its source.
    private static let longestLookUp = Duration.seconds(3)

    // MARK: Public ports

    /// Tells the providers of public ports of services, each of those in a mode of its own. Kept, and told again, when a
    /// provider starts later or again.
    public func updatePublicServices(
        upserts: [Sallyport_Plugin_V1_PublicService], removes: [Sallyport_Policy_V1_ObjectKey], replaceAll: Bool
    ) {
        for (owner, update) in publicPorts.apply(upserts: upserts, removes: removes, replaceAll: replaceAll) {
            plugins[owner]?.published.apply(upserts: update.upserts, removes: update.removes, replaceAll: false)
        }
    }

    /// Why nothing supplies services of a mode; nil if a plugin is there for it, or may yet turn out to be.
    public func problem(ofPublicTLSMode mode: PublicTLSMode) async -> String? {
        if publicPorts.owner(of: mode) != nil { return nil }
        for plugin in plugins.values where await plugin.isUndescribed { return nil }
        return "no drop-in in \(configuration.dropInDirectory) starts a plugin for tls.mode \(mode.shown)"
    }

    /// A plugin has described itself. Of two for one mode the one whose drop-in comes first has it.
    /// - Returns: Why this one may not run.
    private func claim(_ plugin: SupervisedPlugin, _ modes: [PublicTLSMode]) async -> String? {
        guard plugins[plugin.name] === plugin else { return nil }
        let file = await plugin.dropIn.file
        switch publicPorts.claim(modes, plugin.name, file: file) {
        case .refused(let mode, let other):
            return PublicPortRouting.conflict(mode, with: other)
        case .granted(let services, let losers):
            for (loser, mode) in losers { await plugins[loser]?.refuse(PublicPortRouting.conflict(mode, with: file)) }
            plugin.published.apply(upserts: services, removes: [], replaceAll: true)
            return nil
        }
    }
}

extension SupervisedPlugin {
    /// Whether it may still say what it is for.
    fileprivate var isUndescribed: Bool { description.kinds.isEmpty && [.starting, .backoff].contains(standing.state) }

    /// Whether it is a TLS provider that is configured.
    fileprivate var issues: Bool { standing.phase == .serving && description.kinds.contains(.tlsProvider) }

    fileprivate func issue(
        _ request: Sallyport_Plugin_V1_IssueProcessingUnitRequest
    ) async throws -> Sallyport_Plugin_V1_IssueProcessingUnitResponse {
        guard let running else { throw RPCError(.unavailable, "the plugin \(name) has just ended") }
        return try await call(running, SALLYPORT_SERVICE_TLS_PROVIDER, "IssueProcessingUnit", request)
    }
}
