// The plugin: frontends as a service's document lists them, names resolved again by their TTL
// (docs/plugins/load-balancer-static.md).

import Linux
import PluginKit
import SallyportProtocol
import TTRPC

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

    private let host: PluginHostHandle
    private let resolverOverride: NameResolver?
    private let namesOverride: AddressResolver?
    private let frontends: FrontendResolver
    private var times = NameTimes()
    private var resolveNames: AddressResolver = SystemResolver(nameserver: nil).names
    private var lookUps = 0
    /// Each of them holds a thread while its name server is silent. The host asks for as many, and may give one up before its thread ends.
    private static let mostLookUps = 64

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.init(host: host, time: .monotonic, resolver: nil) }

    /// A plugin on another clock, or with answers of another source.
    package init(host: PluginHostHandle, time: PluginClock, resolver: NameResolver?, names: AddressResolver? = nil) {
        self.host = host
        resolverOverride = resolver
        namesOverride = names
        frontends = FrontendResolver(host: host, time: time)
    }

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
        let server = configuration.nameserver.flatMap(nameserver)
        let system = SystemResolver(nameserver: server)
        times = NameTimes(configuration)
        resolveNames = namesOverride ?? system.names
        await frontends.use(times, resolve: resolverOverride ?? system.resolve)
    }

    public func shutdown() async { await frontends.end() }

    public func updateServices(_ request: UpdateServicesRequest) async throws { await frontends.update(request) }

    public func watchFrontends(_ events: MessageSender<FrontendsEvent>) async throws { try await frontends.watch(events) }

    public func names(_ request: NamesRequest) async throws -> NamesResponse {
        guard let address = IPAddress(bytes: request.address) else {
            throw RPCError(.invalidArgument, "an address has 4 or 16 bytes, not \(request.address.count)")
        }
        var found = AddressNames()
        if lookUps < LoadBalancerStatic.mostLookUps {
            lookUps += 1
            found = await resolveNames(address)
            lookUps -= 1
        } else {
            found.problem = "\(lookUps) addresses are being looked up, and no more are at once"
        }
        let times = times
        return .with {
            $0.names = found.names
            $0.ttlSeconds = UInt32(clamping: min(times.maximumTTL, max(times.minimumTTL, Int64(found.ttl))))
            $0.graceSeconds = UInt32(clamping: times.grace)
            $0.problem = found.problem
        }
    }

    /// "192.0.2.53" or "192.0.2.53:5353".
    private nonisolated func nameserver(_ text: String) -> SocketAddress? {
        if let address = SocketAddress(text) { return address.port == 0 ? nil : address }
        return IPAddress(text).map { SocketAddress($0, 53) }
    }
}

extension NameTimes {
    fileprivate init(_ configuration: LoadBalancerStatic.Configuration) {
        self.init()
        minimumTTL = configuration.minimumTTL?.seconds ?? minimumTTL
        maximumTTL = configuration.maximumTTL?.seconds ?? maximumTTL
        grace = configuration.grace?.seconds ?? grace
    }
}
