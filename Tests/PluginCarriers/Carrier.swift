// Both carriers behind one name, so that each promise is tried through both.

import CSallyportPlugin
import Linux
import PluginCarriers
import SallyportProtocol
import Support
import SwiftProtobuf
import Synchronization
import TTRPC

enum Carrier: String, CaseIterable, Sendable, CustomStringConvertible {
    case inProcess, outOfProcess
    var description: String { rawValue }
}

/// A plugin that was started through one of the carriers, and what it logged.
final class StartedPlugin: Sendable {
    let channel: any RPCChannel
    let process: PluginProcess?
    let log: Lines

    init(_ file: PluginFile, through carrier: Carrier, user: PluginUser? = nil) async throws {
        let log = Lines()
        self.log = log
        switch carrier {
        case .inProcess:
            process = nil
            channel = try await InProcessPlugin.load(file) { log.add($0, $1) }
        case .outOfProcess:
            let runner = try PluginFile(path: PluginWorkshop.runnerPath)
            let started = try await PluginProcess.start(file, runner: runner, user: user) { log.add($0, $1) }
            process = started
            channel = started.channel
        }
    }

    func call<Request: Message, Answer: Message>(
        _ method: String, _ request: Request, timeout: Duration? = .seconds(10), as type: Answer.Type = Answer.self
    ) async throws -> Answer {
        try await channel.call(service: SALLYPORT_SERVICE_PLUGIN, method: method, request, timeout: timeout)
    }

    func health(timeout: Duration? = .seconds(10)) async throws -> Sallyport_Plugin_V1_HealthResponse {
        try await call("Health", Sallyport_Plugin_V1_HealthRequest(), timeout: timeout)
    }

    func configure(_ json: String = "{}") async throws -> Sallyport_Plugin_V1_ConfigureResponse {
        try await call("Configure", Sallyport_Plugin_V1_ConfigureRequest.with { $0.configJson = json })
    }

    func watch() async throws -> any RPCStream {
        try await channel.open(service: SALLYPORT_SERVICE_POLICY_SOURCE, method: "Watch", request: [], timeout: nil)
    }

    func stop() async {
        await channel.close()
        await process?.stop()
    }
}

/// Log lines, "LEVEL TEXT".
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ level: Int32, _ text: String) { lines.withLock { $0.append("\(level) \(text)") } }
    var all: [String] { lines.withLock { $0 } }

    /// Comes back when `line` is there; the suite's time limit bounds it.
    func wait(for line: String) async {
        while !all.contains(line) { try? await Task.sleep(for: .milliseconds(1)) }
    }
}

extension PluginWorkshop {
    /// Builds Tests/Plugins/SOURCE.c and starts it.
    func start(_ source: String, through carrier: Carrier) async throws -> StartedPlugin {
        try await StartedPlugin(PluginFile(path: build(source)), through: carrier)
    }
}
