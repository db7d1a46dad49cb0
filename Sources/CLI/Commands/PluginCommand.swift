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

    @Argument(help: ArgumentHelp("The plugin's file, NAME.so or a program, and what sallyport-plugin-runner --check takes besides.", valueName: "path"),
              completion: .file(extensions: ["so"]))
    var path: String

    @Argument(parsing: .allUnrecognized, help: .hidden)
    var rest: [String] = []

    func run() async throws {
        try await reportingFailures {
            let runner = try findRunner()
            let arguments = [runner, "--check", path] + rest
            var pointers = arguments.map { strdup($0) }
            pointers.append(nil)
            execv(runner, pointers)
            throw Failure("cannot run \(runner): \(String(cString: strerror(errno)))")
        }
    }

    /// Beside this command, else where packages put it.
    private func findRunner() throws -> String {
        let name = "sallyport-plugin-runner"
        var candidates = ["/usr/libexec/sallyport/\(name)", "/usr/lib/sallyport/\(name)"]
        if let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"), let slash = own.lastIndex(of: "/") {
            candidates.insert("\(own[..<slash])/\(name)", at: 0)
        }
        guard let found = candidates.first(where: { access($0, X_OK) == 0 }) else {
            throw Failure("there is no \(candidates.joined(separator: " nor ")); install the package sallyport belongs to again")
        }
        return found
    }
}
