// sallyport ca init, enforcer, rotate, retire: each says what to do next.

import ArgumentParser
import FlowFormat
import PKI

struct CAInitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "init", abstract: "Make a CA: a folder with a new root, and one for public ports.")

    @OptionGroup var options: CAOptions

    @Option(help: ArgumentHelp("Of all certificates, such as example.org; it cannot be changed later.", valueName: "name"))
    var trustDomain: String

    func run() async throws {
        try await reportingRefusals {
            let ca = try CertificateAuthority.create(at: options.directory, trustDomain: trustDomain, now: options.now)
            try options.report(
                ca, "made a CA for \(ca.trustDomain) in \(ca.directory)",
                "next: `sallyport ca enforcer NAME` for each node; keep root.key and service-root.key in \(ca.directory) from others, and in a backup")
        }
    }
}

struct CAEnforcerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enforcer", abstract: "Give an enforcer its intermediate, or a new one.",
        discussion: "A renewal keeps the namespaces unless --namespace is given. It lasts a year.")

    @OptionGroup var options: CAOptions

    @Argument(help: "The enforcer's name.")
    var name: String

    @Option(
        name: .customLong("namespace"),
        help: ArgumentHelp("A namespace it may speak for, with all below; may be given several times. Default: /", valueName: "path"))
    var namespaces: [String] = []

    func run() async throws {
        try await reportingRefusals {
            let ca = try options.open()
            let paths = try namespaces.map { try NamespacePath($0) }
            let folder = try ca.issueEnforcer(name, namespaces: paths.isEmpty ? nil : paths, now: options.now)
            guard let made = try ca.contents().enforcers.first(where: { $0.name == name }) else { return }
            try options.report(
                ca,
                "\(name) may speak for \(made.facts.namespaces.map(\.description).joined(separator: " ")) until \(date(made.facts.validity.notAfter))",
                "next: copy the files in \(folder) to the node's /etc/sallyport/ca (mode 0700), and remove key.pem and service-key.pem here")
        }
    }
}

struct CARotateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Make new roots, and trust them beside the old ones.",
        discussion: "Enforcers go on under the old root until each is renewed; `retire` then ends the overlap. Nothing is refused in between.")

    @OptionGroup var options: CAOptions

    func run() async throws {
        try await reportingRefusals {
            let ca = try options.open().rotate(now: options.now)
            let contents = try ca.contents()
            try options.report(
                ca, "\(contents.roots.count) roots are trusted; the new one is \(contents.roots[0].fingerprint.prefix(16))",
                "next: copy trust.pem and service-trust.pem of \(ca.directory) to every node's /etc/sallyport/ca, and `sallyport ca bundle` to clients of public ports; only then `sallyport ca enforcer NAME` for each, and its files to its node; at last `sallyport ca retire`"
            )
        }
    }
}

struct CARetireCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "Trust the newest root alone: the end of a rotation.")

    @OptionGroup var options: CAOptions

    @Flag(help: "Also when enforcers still have intermediates of an older root; their processing units are then refused.")
    var force = false

    func run() async throws {
        try await reportingRefusals {
            let ca = try options.open().retire(now: options.now, force: force)
            try options.report(
                ca, "only the root \(try ca.contents().roots[0].fingerprint.prefix(16)) is trusted",
                "next: copy trust.pem and service-trust.pem of \(ca.directory) to every node's /etc/sallyport/ca, once every node has its new intermediate")
        }
    }
}
