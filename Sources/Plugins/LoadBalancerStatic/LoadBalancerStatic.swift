// The plugin: frontends as a service's document lists them, names resolved again by their TTL
// (docs/plugins/load-balancer-static.md).

import Linux
import PluginKit
import SallyportProtocol

/// Gives addresses and CIDRs at once, and the addresses of names for as long as DNS has them.
public actor LoadBalancerStatic: LoadBalancerAdapterPlugin {
    public struct Configuration: Decodable, Sendable {
        public var nameserver: String?
        public var minimumTTL: ConfigDuration?
        public var maximumTTL: ConfigDuration?
        public var grace: ConfigDuration?

        public init(
            nameserver: String? = nil, minimumTTL: ConfigDuration? = nil, maximumTTL: ConfigDuration? = nil, grace: ConfigDuration? = nil
        ) {
            self.nameserver = nameserver
            self.minimumTTL = minimumTTL
            self.maximumTTL = maximumTTL
            self.grace = grace
        }
    }

    public static let description = PluginDescription(
        name: "load-balancer-static", version: "1.0", summary: "frontends as services list them, names resolved by TTL",
        settings: [
            PluginSetting(
                "nameserver", type: "address, or address:port", summary: "the name server to ask", defaultValue: "those of /etc/resolv.conf"),
            PluginSetting(
                "minimumTTL", type: "duration of 1s to 1h, such as 5s", summary: "names are not asked for more often", defaultValue: "1s"),
            PluginSetting(
                "maximumTTL", type: "duration of 1s to 1h, such as 10m", summary: "names are asked for at least so often", defaultValue: "1h"),
            PluginSetting(
                "grace", type: "duration of 0s to 24h, such as 60s",
                summary: "how long an address stays a frontend after DNS stopped to name it", defaultValue: "60s"),
        ])

    /// As many questions wait for an answer at once; a name server that is away would else hold up all names behind it.
    private static let maximumQuestions = 8

    private let host: PluginHostHandle
    private let time: PluginClock
    private let resolverOverride: NameResolver?
    private let states = Latest<ServiceState<FrontendsEvent>>()
    private var resolve: NameResolver
    private var table = FrontendTable()
    /// Whether the host has said which services there are; without, "none" would be a lie.
    private var hasServices = false
    private var isEnded = false
    private var questions = 0
    private var timer: Task<Void, Never>?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.init(host: host, time: .monotonic, resolver: nil) }

    /// A plugin on another clock, or with answers of another source.
    package init(host: PluginHostHandle, time: PluginClock, resolver: NameResolver?) {
        self.host = host
        self.time = time
        resolverOverride = resolver
        resolve = resolver ?? SystemResolver(nameserver: nil).resolve
    }

    deinit { timer?.cancel() }

    public func validate(_ configuration: Configuration) async -> [ConfigProblem] {
        var problems: [ConfigProblem] = []
        if let text = configuration.nameserver, nameserver(text) == nil {
            problems.append(ConfigProblem(field: "nameserver", "must be an address, such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"))
        }
        for (field, duration) in [("minimumTTL", configuration.minimumTTL), ("maximumTTL", configuration.maximumTTL)] {
            if let duration, !(1...3600).contains(duration.seconds) { problems.append(ConfigProblem(field: field, "must be from 1s to 1h")) }
        }
        if let grace = configuration.grace, grace.seconds > 86400 { problems.append(ConfigProblem(field: "grace", "must be from 0s to 24h")) }
        let times = NameTimes(configuration)
        if problems.isEmpty && times.minimumTTL > times.maximumTTL {
            problems.append(ConfigProblem(field: "minimumTTL", "must not be above maximumTTL, which is \(times.maximumTTL)s"))
        }
        return problems
    }

    public func configure(_ configuration: Configuration, host facts: HostFacts) async throws {
        table.use(NameTimes(configuration))
        resolve = resolverOverride ?? SystemResolver(nameserver: configuration.nameserver.flatMap(nameserver)).resolve
        turn()
    }

    public func shutdown() async {
        isEnded = true
        timer?.cancel()
    }

    public func updateServices(_ request: UpdateServicesRequest) async throws {
        table.update(request, at: time.now())
        hasServices = true
        turn()
    }

    public func watchFrontends(_ events: MessageSender<FrontendsEvent>) async throws {
        try await states.send(to: events)
    }

    /// Does all that is due, and sets the timer for what comes next.
    private func turn() {
        timer?.cancel()
        if isEnded { return }
        table.advance(to: time.now())
        while questions < LoadBalancerStatic.maximumQuestions, let name = table.nextQuestion() {
            questions += 1
            host.task { [resolve] in
                let answer = await resolve(name)
                await self.learn(name, answer)
            }
        }
        if hasServices, states.value?.revision != table.state.revision { states.set(table.state) }
        guard let deadline = table.deadline else { return }
        timer = host.task { [weak self, time] in
            if await time.wait(deadline) { await self?.turn() }
        }
    }

    private func learn(_ name: String, _ answer: NameAnswer) {
        questions -= 1
        table.learn(answer, of: name, at: time.now())
        turn()
    }

    /// "192.0.2.53" or "192.0.2.53:5353".
    private nonisolated func nameserver(_ text: String) -> SocketAddress? {
        if let address = SocketAddress(text) { return address.port == 0 ? nil : address }
        return IPAddress(text).map { SocketAddress($0, 53) }
    }
}
