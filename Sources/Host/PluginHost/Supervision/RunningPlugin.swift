// A plugin that was started through the carrier its drop-in names.

import CSallyportPlugin
import Linux
import Logging
import PluginCarriers
import SallyportProtocol
import Synchronization
import TTRPC

/// One start of a plugin, until its end.
struct RunningPlugin: Sendable {
    let file: PluginFile
    let channel: any RPCChannel
    /// nil in the daemon's own.
    let process: PluginProcess?
    let log: PluginLogSink

    /// Checks the file and starts it.
    /// - Throws: `PluginFault`, or what kept the process from having another descriptor or thread.
    init(_ dropIn: DropIn, _ configuration: PluginHostConfiguration, _ logger: Logger) async throws {
        file = try PluginFile(named: dropIn.plugin, in: configuration.pluginDirectory)
        if !dropIn.sha256.isEmpty { try file.check(sha256: dropIn.sha256) }
        let log = PluginLogSink(logger)
        self.log = log
        switch dropIn.isolation {
        case .host:
            guard file.form == .library else { throw NotALibrary(path: file.path) }
            process = nil
            channel = try await InProcessPlugin.load(file, limit: configuration.times.call, log: log.write)
        case .process:
            let user = dropIn.user.isEmpty ? nil : try PluginUser(named: dropIn.user)
            let process = try await PluginProcess.start(
                file, runner: PluginFile(path: configuration.runnerPath), user: user, log: log.write)
            self.process = process
            channel = process.channel
        }
    }

    /// Says good-bye and ends it, within the times for that.
    func end(_ times: PluginTimes) async {
        // A task of its own: the one that ends plugins may be cancelled already.
        await Task {
            let _: Sallyport_Plugin_V1_ShutdownResponse? = try? await channel.call(
                service: SALLYPORT_SERVICE_PLUGIN, method: "Shutdown", Sallyport_Plugin_V1_ShutdownRequest(), timeout: times.shutdown)
            await channel.close()
            await process?.stop(grace: times.end)
        }.value
    }
}

/// `isolation: host` for something that can only be executed.
struct NotALibrary: Error, CustomStringConvertible {
    let path: String
    var description: String { "\(path) is a program, which cannot run in the daemon's process: use isolation: process" }
}

/// Passes a plugin's lines to the daemon's log, and remembers the last one that told of an error.
final class PluginLogSink: Sendable {
    private let logger: Logger
    private let last = Mutex<String?>(nil)

    init(_ logger: Logger) { self.logger = logger }

    @Sendable func write(_ level: Int32, _ text: String) {
        if level <= SALLYPORT_LOG_ERROR { last.withLock { $0 = text } }
        let level: Logger.Level =
            switch level {
            case ...2: .critical
            case 3: .error
            case 4: .warning
            case 5: .notice
            case 6: .info
            default: .debug
            }
        logger.log(level: level, "plugin-line", metadata: ["text": "\(text)"])
    }

    var lastError: String? { last.withLock { $0 } }
}
