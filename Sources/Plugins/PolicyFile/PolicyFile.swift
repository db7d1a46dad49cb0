// The plugin: policy documents from a directory of YAML and JSON files (docs/plugins/policy-file.md).

import Linux
import PluginKit
import SallyportProtocol

/// Supplies the documents of a directory, and keeps watching it.
public actor PolicyFile: PolicySourcePlugin {
    public struct Configuration: Decodable, Sendable {
        public var directory: String?

        public init(directory: String? = nil) { self.directory = directory }
    }

    public static let defaultDirectory = "/etc/sallyport/policy.d"

    public static let description = PluginDescription(
        name: "policy-file", version: "1.0", summary: "policy documents from a directory of YAML and JSON files",
        settings: [
            PluginSetting(
                "directory", type: "absolute path", summary: "the directory that holds the files", defaultValue: defaultDirectory)
        ])

    private let host: PluginHostHandle
    private let states = Latest<PolicyState>()
    private var watcher: PolicyWatcher?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.host = host }

    public func validate(_ configuration: Configuration) async -> [ConfigProblem] {
        guard let directory = configuration.directory else { return [] }
        return directory.hasPrefix("/") && !directory.utf8.contains(0)
            ? [] : [ConfigProblem(field: "directory", "must be an absolute path, such as \(PolicyFile.defaultDirectory)")]
    }

    /// A directory that is not there is no reason to refuse: it may come, and health says so until then.
    public func configure(_ configuration: Configuration, host facts: HostFacts) async throws {
        let directory = configuration.directory ?? PolicyFile.defaultDirectory
        if let watcher {
            watcher.use(directory: directory)
        } else {
            watcher = try PolicyWatcher(directory: directory, states: states, log: host.log)
        }
    }

    public func health() async -> PluginHealth {
        guard let state = states.value else { return PluginHealth(ready: false, message: "reading the directory") }
        return PluginHealth(ready: state.isKnown, message: state.trouble)
    }

    public func shutdown() async { watcher?.stop() }

    deinit { watcher?.stop() }

    public func watch(_ events: MessageSender<PolicyEvent>) async throws {
        var version: UInt64 = 0
        var sent = PolicyState()
        while true {
            let next = try await states.next(after: version)
            for event in next.value.events(since: sent, generation: next.version) { try await events.send(event) }
            (version, sent) = next
        }
    }
}
