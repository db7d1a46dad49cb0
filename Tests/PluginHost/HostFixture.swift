// A plugin host with directories of its own and a sink that remembers.

import Linux
import Logging
import PluginHost
import SallyportProtocol
import Support
import Synchronization

/// Remembers what plugins supplied.
actor RecordingSink: PluginSink {
    private(set) var policy: [Sallyport_Plugin_V1_PolicyEvent] = []
    private(set) var bundles: [Sallyport_Plugin_V1_TrustBundle] = []
    private(set) var frontends: [Sallyport_Plugin_V1_FrontendsEvent] = []
    private(set) var certificates: [Sallyport_Plugin_V1_CertificatesEvent] = []
    private(set) var changes = 0

    func policy(source: String, _ event: Sallyport_Plugin_V1_PolicyEvent) { policy.append(event) }
    func trust(provider: String, _ bundle: Sallyport_Plugin_V1_TrustBundle) { bundles.append(bundle) }
    func frontends(adapter: String, _ event: Sallyport_Plugin_V1_FrontendsEvent) { frontends.append(event) }
    func certificates(provider: String, _ event: Sallyport_Plugin_V1_CertificatesEvent) { certificates.append(event) }
    func pluginsChanged() { changes += 1 }

    /// The documents that are in force after all events, and how many times a group of events was complete.
    var documents: (names: Set<String>, completes: Int) {
        policy.reduce(into: ([], 0)) { result, event in
            switch event.event {
            case .upsert(let object): result.0.insert(object.key.name)
            case .remove(let key): result.0.remove(key.name)
            case .batch(let batch):
                result.0.formUnion(batch.upserts.map(\.key.name))
                result.0.subtract(batch.removes.map(\.name))
            case .complete: result.1 += 1
            case .problems, nil: break
            }
        }
    }
}

final class HostFixture: Sendable {
    let workshop: PluginWorkshop
    let dropIns: PluginWorkshop
    let sink = RecordingSink()
    let host: PluginHost

    /// - Parameter times: Changes the times; plugins are looked at every 20 ms, and paused for 10 ms and more.
    init(_ times: (inout PluginTimes) -> Void = { _ in }) throws {
        workshop = try PluginWorkshop()
        dropIns = try PluginWorkshop()
        var configuration = PluginHostConfiguration(
            dropInDirectory: dropIns.directory, pluginDirectory: workshop.directory, runnerPath: PluginWorkshop.runnerPath)
        configuration.times.health = .milliseconds(20)
        configuration.times.healthWhileStarting = .milliseconds(20)
        configuration.times.firstPause = .milliseconds(10)
        configuration.times.longestPause = .milliseconds(100)
        times(&configuration.times)
        var logger = Logger(label: "plugins") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        host = PluginHost(
            configuration: configuration, facts: .with { $0.enforcer = "node-1" }, sink: sink, logger: logger)
    }

    /// Writes NN-NAME.yaml for a plugin of that name.
    func add(_ name: String, isolation: String = "process", number: Int = 10, _ rest: String = "") throws {
        try write("\(number)-\(name).yaml", "version: 1\nplugin: \(name)\nisolation: \(isolation)\n\(rest)\n")
    }

    func write(_ file: String, _ text: String) throws { try dropIns.write(file, text, mode: 0o644) }

    func remove(_ file: String) { unlink("\(dropIns.directory)/\(file)") }

    func status(_ name: String) async -> Sallyport_Control_V1_PluginStatus? { await host.status().first { $0.name == name } }

    /// Comes back when a plugin's status is as wanted; says after 20 s how it stands instead.
    @discardableResult
    func wait(
        _ name: String, until isWanted: (Sallyport_Control_V1_PluginStatus) -> Bool
    ) async throws -> Sallyport_Control_V1_PluginStatus {
        let end = clinux_monotonic() + 20_000_000_000
        while true {
            let status = await status(name)
            if let status, isWanted(status) { return status }
            if clinux_monotonic() > end { throw NeverCame(plugin: name, status: status) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @discardableResult
    func wait(_ name: String, _ state: Sallyport_Control_V1_PluginStatus.State) async throws -> Sallyport_Control_V1_PluginStatus {
        try await wait(name) { $0.state == state }
    }
}

/// A status that was waited for in vain, and the one there was instead.
struct NeverCame: Error, CustomStringConvertible {
    let plugin: String
    let status: Sallyport_Control_V1_PluginStatus?

    var description: String {
        status.map { "\(plugin) stays \($0.state), after \($0.restarts) restarts: \($0.message)" } ?? "there is no \(plugin)"
    }
}

/// Comes back when `condition` holds; the suite's time limit bounds it.
func eventually(_ condition: () async -> Bool) async throws {
    while await !condition() { try await Task.sleep(for: .milliseconds(2)) }
}
