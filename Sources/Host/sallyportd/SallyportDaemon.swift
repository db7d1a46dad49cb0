// The daemon's command line.

import ArgumentParser
import Daemon
import Linux

@main
struct SallyportDaemon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sallyportd",
        abstract: "The Sallyport enforcer: identifies, authorises, encrypts and records the TCP flows of this node's processing units.",
        discussion: "Settings come from the configuration file; see docs/operations.md. SIGHUP reads the plugins' drop-ins again.",
        version: sallyportVersion)

    @Option(help: ArgumentHelp("The configuration file.", valueName: "file"))
    var config = "/etc/sallyport/sallyportd.yaml"

    @Option(help: ArgumentHelp("This node's name; overrides the file.", valueName: "name"))
    var enforcer: String?

    @Flag(help: "Check the configuration file and end.")
    var check = false

    @Flag(
        name: .customLong("check-kernel"),
        help: "Try everything that is asked of the kernel, say what is missing and what to do, and end; 1 if units cannot be protected here.")
    var isKernelCheck = false

    @Flag(help: ArgumentHelp("What sallyport doctor asks where no daemon runs.", visibility: .hidden))
    var examine = false

    @Flag(help: "When ending, remove every rule made, so that the units' flows pass unprotected. Without it they fail closed.")
    var uninstallAtEnd = false

    @Flag(help: "Remove the rules that an earlier run left, and nothing else; then end.")
    var uninstall = false

    func run() async throws {
        if isKernelCheck {
            let (lines, isFit) = checkKernel()
            lines.forEach { print($0) }
            throw isFit ? ExitCode.success : ExitCode.failure
        }
        if examine {
            // Who asks waits for the end.
            alarm(20)
            return examineAtRest(file: config, settings: Result { try settings() }).forEach { print($0) }
        }
        let level = LogLevel()
        level.bootstrap()
        var configuration: DaemonConfiguration
        do {
            configuration = try settings()
        } catch {
            throw Failure("\(error)")
        }
        if let enforcer { configuration.enforcer = enforcer }
        if check { return print("\(config) is right") }
        level.set(configuration.logLevel)
        do {
            if uninstall {
                for line in try InterceptedNamespaces(stateDirectory: configuration.stateDirectory).uninstall() { print(line) }
                return
            }
            try await Daemon(configuration: configuration, level: level).run(uninstallAtEnd: uninstallAtEnd)
        } catch {
            throw Failure("\(error)")
        }
    }

    private func settings() throws -> DaemonConfiguration {
        var configuration = DaemonConfiguration(enforcer: hostname(), workers: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        if let bytes = try readFile(config) { try configuration.read(bytes, file: config) }
        return configuration
    }

    /// A file's bytes; nil if there is none at the default place.
    private func readFile(_ path: String) throws -> [UInt8]? {
        if path == "/etc/sallyport/sallyportd.yaml" && access(path, F_OK) != 0 { return nil }
        let file = try Descriptor(opening: path, flags: O_RDONLY)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = try syscall("read", path) { chunk.withUnsafeMutableBytes { read(file.raw, $0.baseAddress, $0.count) } }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}

/// A sentence for the operator, as it stands.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

