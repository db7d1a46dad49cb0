// The plugin: frontends as services list them, and what is behind them by HAProxy's runtime socket
// (docs/plugins/load-balancer-haproxy.md).

import PluginKit
import SallyportProtocol

/// Asks HAProxy every few seconds while there are services, and keeps its last good answer.
public actor LoadBalancerHAProxy: LoadBalancerAdapterPlugin {
    public struct Configuration: Decodable, Sendable, Equatable {
        public var socket: String?
        public var interval: ConfigDuration?
        public var frontends: [String: String]?
        public var backends: [String: String]?
        public var configuration: String?

        public init(
            socket: String? = nil, interval: ConfigDuration? = nil, frontends: [String: String]? = nil, backends: [String: String]? = nil,
            configuration: String? = nil
        ) {
            self.configuration = configuration
            self.socket = socket
            self.interval = interval
            self.frontends = frontends
            self.backends = backends
        }
    }

    public static let description = PluginDescription(
        name: "load-balancer-haproxy", version: "1.0", summary: "frontends as services list them, servers by HAProxy's runtime socket",
        settings: [
            PluginSetting(
                "socket", type: "absolute path, or address:port", summary: "HAProxy's stats socket, of level operator",
                defaultValue: defaultSocket),
            PluginSetting("interval", type: "duration of 1s to 1h, such as 5s", summary: "how often HAProxy is asked", defaultValue: "5s"),
            PluginSetting(
                "frontends", type: "mapping of services, as /NAMESPACE/NAME, to HAProxy's frontends", summary: "where the port does not tell",
                defaultValue: "those that listen on the service's port"),
            PluginSetting(
                "backends", type: "mapping of HAProxy's frontends to its backends", summary: "which servers a frontend's connections go to, where HAProxy does not tell",
                defaultValue: "sections listen are their own; the file's default_backend"),
            PluginSetting(
                "configuration", type: "absolute path", summary: "HAProxy's configuration file, for default_backend and send-proxy", defaultValue: "none"),
        ])

    private static let defaultSocket = "/run/haproxy/admin.sock"
    private static let noAnswer = "HAProxy has not answered yet"

    private struct Settings {
        var source: Source
        var interval: Int64
        var match: ServiceMatch
    }

    /// Where everything is learnt.
    private struct Source: Equatable {
        var address: RuntimeAddress
        var configuration: String?
    }

    private let host: PluginHostHandle
    private let time: PluginClock
    private let frontends: FrontendResolver
    private var settings: Settings?
    private var hasServices = false
    private var isEnded = false
    private var isAsking = false
    private var timer: Task<Void, Never>?
    /// Of the socket that the settings name.
    private var last: Snapshot?
    private var problem = LoadBalancerHAProxy.noAnswer

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.init(host: host, time: .monotonic) }

    /// A plugin on another clock.
    package init(host: PluginHostHandle, time: PluginClock) {
        self.host = host
        self.time = time
        frontends = FrontendResolver(host: host, time: time)
    }

    deinit { timer?.cancel() }

    public func validate(_ configuration: Configuration) async -> [ConfigProblem] {
        var problems: [ConfigProblem] = []
        if let socket = configuration.socket, RuntimeAddress(socket) == nil {
            problems.append(ConfigProblem(
                field: "socket", "must be an absolute path of at most 107 bytes, such as \(LoadBalancerHAProxy.defaultSocket), or ADDRESS:PORT, such as 192.0.2.1:9999"))
        }
        if let interval = configuration.interval, !(1...3600).contains(interval.seconds) {
            problems.append(ConfigProblem(field: "interval", "must be from 1s to 1h"))
        }
        for (service, frontend) in (configuration.frontends ?? [:]).sorted(by: { $0.key < $1.key }) {
            if !service.hasPrefix("/") || service.hasSuffix("/") {
                problems.append(ConfigProblem(field: "frontends.\(service)", "must be a service with its namespace, such as /acme/web"))
            } else if frontend.isEmpty {
                problems.append(ConfigProblem(field: "frontends.\(service)", "must be the name of one of HAProxy's frontends"))
            }
        }
        for (frontend, backend) in (configuration.backends ?? [:]).sorted(by: { $0.key < $1.key }) where backend.isEmpty {
            problems.append(ConfigProblem(field: "backends.\(frontend)", "must be the name of one of HAProxy's backends"))
        }
        if let path = configuration.configuration, !path.hasPrefix("/") || path.utf8.contains(0) {
            problems.append(ConfigProblem(field: "configuration", "must be an absolute path, such as /etc/haproxy/haproxy.cfg"))
        }
        return problems
    }

    public func configure(_ configuration: Configuration, host facts: HostFacts) async throws {
        guard let address = RuntimeAddress(configuration.socket ?? LoadBalancerHAProxy.defaultSocket) else { return }  // refused by `validate`
        if let before = settings, before.source.address != address { (last, problem) = (nil, LoadBalancerHAProxy.noAnswer) }
        settings = Settings(
            source: Source(address: address, configuration: configuration.configuration), interval: configuration.interval?.seconds ?? 5,
            match: ServiceMatch(frontends: configuration.frontends ?? [:], backends: configuration.backends ?? [:]))
        await inspect()
        ask()
    }

    public func health() async -> PluginHealth { hasServices ? PluginHealth(ready: problem.isEmpty, message: problem) : .ready }

    public func shutdown() async {
        isEnded = true
        timer?.cancel()
        await frontends.end()
    }

    public func updateServices(_ request: UpdateServicesRequest) async throws {
        let hadServices = hasServices
        hasServices = await frontends.update(request)
        if hasServices != hadServices { ask() }
    }

    public func watchFrontends(_ events: MessageSender<FrontendsEvent>) async throws { try await frontends.watch(events) }

    /// Asks now, unless nobody wants to know or the answer is on its way.
    private func ask() {
        timer?.cancel()
        guard let settings, hasServices, !isEnded, !isAsking else { return }
        isAsking = true
        host.task { [source = settings.source, last] in
            let outcome: Result<Snapshot, SurveyFailed>
            do {
                outcome = try await onThreadOfItsOwn("haproxy") {
                    Result { () throws(SurveyFailed) in try RuntimeSocket(source.address).survey(configuration: source.configuration, after: last) }
                }
            } catch {
                outcome = .failure(SurveyFailed("\(error)"))
            }
            await self.learn(outcome, from: source)
        }
    }

    private func learn(_ outcome: Result<Snapshot, SurveyFailed>, from source: Source) async {
        isAsking = false
        guard let settings, settings.source == source else { return ask() }
        let before = problem
        switch outcome {
        case .success(let snapshot): (last, problem) = (snapshot, snapshot.file?.problem ?? "")
        case .failure(let failure): problem = failure.description + (last == nil ? "" : "; what it told last stays")
        }
        if problem != before { host.log(problem.isEmpty ? .info : .warning, problem.isEmpty ? "HAProxy answers on \(source.address)" : problem) }
        await inspect()
        if isEnded { return }
        let next = time.now() + settings.interval
        timer?.cancel()
        timer = host.task { [weak self, time] in
            if await time.wait(next) { await self?.ask() }
        }
    }

    /// Tells each service what is known now.
    private func inspect() async {
        guard let settings else { return }
        await frontends.use { [last, problem] key, balancer, addresses in
            var inside = last.map { settings.match.inside($0, of: key, balancer, at: addresses) } ?? LoadBalancerInside()
            if !problem.isEmpty { inside.problem = inside.problem.isEmpty ? problem : "\(inside.problem); \(problem)" }
            return inside
        }
    }
}
