// Where the daemon is.

import ArgumentParser
import Foundation

struct ConnectionOptions: ParsableArguments {
    static let defaultPath = "/run/sallyport/sallyport.sock"

    @Option(
        help: ArgumentHelp(
            "The daemon's control socket (or set SALLYPORT_SOCKET). Default: \(defaultPath)", valueName: "path"),
        completion: .file())
    var socket: String?

    var path: String {
        if let socket { return socket }
        let fromEnvironment = ProcessInfo.processInfo.environment["SALLYPORT_SOCKET"] ?? ""
        return fromEnvironment.isEmpty ? ConnectionOptions.defaultPath : fromEnvironment
    }
}

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

struct OutputOptions: ParsableArguments {
    @Option(name: [.short, .long], help: "How to print: text or json.")
    var output = OutputFormat.text
}
