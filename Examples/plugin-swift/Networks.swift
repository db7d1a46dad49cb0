// A policy source in Swift: one external network, from its settings. Beside Examples/plugin-c, which does the same.

import PluginKit
import SallyportProtocol

/// An actor on the plugin's own thread: what it keeps needs no lock, and its waiting holds nobody up.
actor Networks: PolicySourcePlugin {
    struct Configuration: Decodable, Sendable {
        var name: String
        var namespace: String?
        var entries: [String]
        var tags: [String]?
        var propagate: Bool?
    }

    static let description = PluginDescription(
        name: "networks-swift", version: "1.0", summary: "one external network, from its settings",
        settings: [
            PluginSetting("name", type: "text", summary: "the external network's name", required: true),
            PluginSetting("namespace", type: "text", summary: "where it lives", defaultValue: "/"),
            PluginSetting("entries", type: "list of texts", summary: "CIDRs, !CIDRs and DNS names", required: true),
            PluginSetting("tags", type: "list of texts", summary: "what rulesets select it by"),
            PluginSetting("propagate", type: "true or false", summary: "whether namespaces below see it", defaultValue: "true"),
        ])

    private let host: PluginHostHandle
    nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    private var network: Sallyport_Policy_V1_Object?
    private var generation: UInt64 = 0
    /// Woken at each new configuration: one for each watch that is open.
    private var watches: [UInt64: AsyncStream<Void>.Continuation] = [:]
    private var lastWatch: UInt64 = 0

    init(host: PluginHostHandle) { self.host = host }

    nonisolated func validate(_ configuration: Configuration) async -> [ConfigProblem] {
        var problems: [ConfigProblem] = []
        if configuration.name.isEmpty { problems.append(ConfigProblem(field: "name", "must be a name")) }
        if configuration.entries.isEmpty { problems.append(ConfigProblem(field: "entries", "must have at least one entry")) }
        return problems
    }

    func configure(_ configuration: Configuration, host facts: HostFacts) {
        network = .with {
            $0.key.kind = .externalNetwork
            $0.key.namespace = configuration.namespace ?? "/"
            $0.key.name = configuration.name
            $0.origin = "config"
            $0.externalNetwork.entries = configuration.entries
            $0.externalNetwork.tags = configuration.tags ?? []
            $0.externalNetwork.propagate = configuration.propagate ?? true
        }
        generation += 1
        host.log(.info, "\(configuration.entries.count) entries, generation \(generation)")
        for wake in watches.values { wake.yield() }
    }

    func health() -> PluginHealth {
        network == nil ? PluginHealth(ready: false, message: "it is not configured yet") : .ready
    }

    func watch(_ events: MessageSender<PolicyEvent>) async throws {
        let (changes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        lastWatch += 1
        let watch = lastWatch
        watches[watch] = wake
        defer { watches[watch] = nil }
        if network != nil { wake.yield() }
        var sent: Sallyport_Policy_V1_ObjectKey?
        for await _ in changes {
            guard let network else { continue }
            if let sent, sent != network.key { try await events.send(.with { $0.remove = sent }) }
            try await events.send(.with { $0.upsert = network })
            sent = network.key
            // Every group of changes ends with this mark.
            try await events.send(.with { $0.complete.generation = generation })
        }
    }
}
