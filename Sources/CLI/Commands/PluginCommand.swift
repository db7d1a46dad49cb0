// sallyport plugin check: does a plugin keep the contract of docs/plugin-abi.md.

import ArgumentParser
import Foundation
import Linux

struct PluginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin", abstract: "For authors of plugins.", subcommands: [PluginCheckCommand.self])
}

struct PluginCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check that a plugin keeps its contract.",
        discussion: "Loads the plugin in a process of its own. Exit status 1 if it does not pass.")

    @Argument(help: ArgumentHelp("The plugin's file.", valueName: "path"), completion: .file())
    var path: String

    @Option(help: ArgumentHelp("A configuration that the plugin should accept, as in a drop-in's `config`.", valueName: "json"))
    var config = "{}"

    @OptionGroup var format: OutputOptions

    func run() async throws {
        try await reportingFailures {
            let runner = try findRunner()
            let arguments = [runner, "--check", "-o", format.output.rawValue, "--config", config, path]
            var pointers = arguments.map { strdup($0) }
            pointers.append(nil)
            execv(runner, pointers)
            throw Failure("cannot run \(runner): \(String(cString: strerror(errno)))")
        }
    }

    /// Beside this command, as it is built, or in the lib folder beside its bin, as it is installed.
    private func findRunner() throws -> String {
        let name = "sallyport-plugin-runner"
        var candidates = ["/usr/lib/sallyport/\(name)"]
        if let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"), let slash = own.lastIndex(of: "/") {
            candidates = ["\(own[..<slash])/\(name)", "\(own[..<slash])/../lib/sallyport/\(name)"]
        }
        guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else {
            throw Failure("there is no \(candidates.joined(separator: " nor ")); install the package sallyport belongs to again")
        }
        return found
    }
}
