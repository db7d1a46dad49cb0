// sallyport ca: the internal CA, in a folder.

import ArgumentParser
import FlowFormat
import Linux
import PKI

struct CACommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca", abstract: "Make and keep the internal CA: what enforcers identify each other by, and what public ports serve.",
        discussion: """
            A CA is a folder: a root, and an intermediate for each enforcer, limited to namespaces; and apart from these a root and \
            intermediates for public ports, which external clients are to trust. None of this talks to a daemon; \
            the plugin tls-internal-ca watches the folder that it is given.
            """,
        subcommands: [CAInitCommand.self, CAEnforcerCommand.self, CAShowCommand.self, CABundleCommand.self, CARotateCommand.self, CARetireCommand.self])
}

struct CAOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The CA's folder.", valueName: "path"), completion: .directory)
    var directory = "/etc/sallyport/authority"

    @OptionGroup var format: OutputOptions

    var now: Int64 { clinux_realtime() / 1_000_000_000 }

    func open() throws -> CertificateAuthority { try CertificateAuthority(at: directory) }

    /// Prints what was done, or the folder's contents as JSON.
    func report(_ ca: CertificateAuthority, _ lines: String...) throws {
        switch format.output {
        case .text: for line in lines { try write(printable(line) + "\n") }
        case .json: try write(try ca.contents().json)
        }
    }
}

/// Runs `body` and makes what PKI refuses one sentence.
func reportingRefusals(_ body: () throws -> Void) async throws {
    try await reportingFailures {
        do {
            try body()
        } catch let error as PKIError {
            throw Failure(error.description)
        } catch let error as SystemCallError {
            throw Failure(error.description)
        }
    }
}
