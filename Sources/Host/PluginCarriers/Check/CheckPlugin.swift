// The conformance check of a plugin (docs/plugin-abi.md §10): behind `sallyport plugin check`.

import TTRPC

/// What to check, and with what.
public struct PluginCheck: Sendable {
    public var path: String
    public var runnerPath: String
    /// A configuration that the plugin should accept, as JSON.
    public var configuration: String

    public init(path: String, runnerPath: String, configuration: String = "{}") {
        self.path = path
        self.runnerPath = runnerPath
        self.configuration = configuration
    }

    /// Checks the plugin through both carriers. A plugin that crashes in this process ends it, so that carrier is last, and left
    /// out if the other one saw it crash.
    /// - Parameter report: Is told each outcome as it comes.
    /// - Returns: Whether no check failed.
    public func run(_ report: (CheckResult) -> Void) async -> Bool {
        var passed = true
        func tell(_ carrier: String, _ check: String, _ outcome: CheckResult.Outcome, _ detail: String = "") {
            passed = passed && outcome != .failed
            report(CheckResult(carrier: carrier, check: check, outcome: outcome, detail: detail))
        }

        let file: PluginFile
        let runner: PluginFile
        do throws(PluginFault) {
            file = try PluginFile(path: path, isTrusted: false)
            runner = try PluginFile(path: runnerPath, isTrusted: false)
        } catch {
            tell("file", "can be opened", .failed, "\(error)")
            return false
        }
        do throws(PluginFault) {
            _ = try PluginFile(path: path)
            tell("file", "would be trusted by a daemon of this user", .passed)
        } catch {
            tell("file", "would be trusted by a daemon of this user", .failed, "\(error)")
        }

        let outside = "out of process"
        var hasCrashed = false
        do {
            let process = try await PluginProcess.start(file, runner: runner) { _, _ in }
            tell(outside, "starts", .passed)
            let conversation = CheckConversation(process.channel, configuration: configuration)
            await conversation.run { tell(outside, $0, $1, $2) }
            // Its own end, before anybody could have asked for it.
            if let exit = await process.exit(within: .milliseconds(100)) {
                // The runner ends so where the library cannot be used; loading it here says why.
                hasCrashed = exit != .configuration
                tell(outside, "lives until its connection is closed", .failed, "\(exit)")
            } else {
                tell(outside, "lives until its connection is closed", .passed)
                await process.channel.close()
                let exit = await process.exit(within: .seconds(2))
                tell(outside, "ends when its connection is closed", exit == .exited(0) ? .passed : .failed, exit == .exited(0) ? "" : exit.map { "\($0)" } ?? "it did not end within 2 seconds")
                await process.stop()
            }
        } catch {
            tell(outside, "starts", .failed, "\(error)")
        }

        let inside = "in process"
        guard file.form == .library else {
            tell(inside, "is loaded", .skipped, "it is a program")
            return passed
        }
        guard !hasCrashed else {
            tell(inside, "is loaded", .skipped, "it ended its process in the checks before")
            return passed
        }
        do {
            let plugin = try await InProcessPlugin.load(file) { _, _ in }
            tell(inside, "is loaded", .passed)
            let conversation = CheckConversation(plugin, configuration: configuration)
            await conversation.run { tell(inside, $0, $1, $2) }
            await plugin.close()
        } catch {
            tell(inside, "is loaded", .failed, "\(error)")
        }
        return passed
    }
}
