// sallyport ca bundle: what external clients must trust.

import ArgumentParser
import Linux
import PKI

struct CABundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle", abstract: "Print the roots that clients of public ports must trust, in PEM.",
        discussion: """
            For services whose tls.mode is InternalCA. It works on the CA's folder and on a node's. While a rotation overlaps it prints \
            the old root and the new one: give clients both before `sallyport ca enforcer` puts the new one to use.
            """)

    @Option(
        help: ArgumentHelp(
            "The CA's folder, or a node's. Default: /etc/sallyport/authority if it is there, else /etc/sallyport/ca", valueName: "path"),
        completion: .directory)
    var directory: String?

    func run() async throws {
        try await reportingRefusals {
            let found = (["/etc/sallyport/authority", "/etc/sallyport/ca"] as [String]).first { access($0, F_OK) == 0 }
            try write(ServiceFolder.bundle(at: directory ?? found ?? "/etc/sallyport/ca"))
        }
    }
}
