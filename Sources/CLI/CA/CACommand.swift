// sallyport ca: keeps the enforcers' certificate authority, a folder on whatever machine holds the root.

import ArgumentParser
import Linux
import PKI

struct CACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca", abstract: "Keep the internal certificate authority.",
        discussion: """
            The folder holds the root's key: keep it off the nodes. `ca enforcer` makes a folder for a node; copy that one there. \
            docs/plugins/tls-internal-ca.md has the whole procedure, rotation included.
            """,
        subcommands: [CAInit.self, CAEnforcer.self, CAShow.self, CARotate.self, CARetire.self])
}

struct CAOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The authority's folder.", valueName: "folder"), completion: .directory)
    var directory = "/etc/sallyport/authority"

    /// - Throws: `Failure` if there is no authority, or its files are not as they must be.
    func open() throws -> CertificateAuthority { try CertificateAuthority(at: directory) }
}

private var now: Int64 { clinux_realtime() / 1_000_000_000 }

/// Runs `body` and turns what PKI throws into a sentence and an exit status.
private func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as PKIError {
        warn("\(error)")
        throw ExitStatus.failed
    } catch let error as SystemCallError {
        warn("\(error)")
        throw ExitStatus.failed
    }
}

struct CAInit: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "init", abstract: "Make a root certificate and its key.")

    @OptionGroup var options: CAOptions
    @Option(help: ArgumentHelp("What follows spiffe:// in every identity.", valueName: "name"))
    var trustDomain: String

    func run() throws {
        try reporting {
            let authority = try CertificateAuthority.create(at: options.directory, trustDomain: trustDomain, now: now)
            try write("\(options.directory): the root of trust domain \(authority.trustDomain)\n")
        }
    }
}

struct CAEnforcer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enforcer", abstract: "Give a node its intermediate, or a new one.",
        discussion: "Prints the folder to copy to the node's /etc/sallyport/ca. Without --namespace an existing one keeps its namespaces, and a new one may speak for all.")

    @OptionGroup var options: CAOptions
    @Argument(help: "The enforcer's name.")
    var name: String
    @Option(name: .customLong("namespace"), help: ArgumentHelp("A namespace it may speak for, with all below; may be repeated.", valueName: "path"))
    var namespaces: [String] = []

    func run() throws {
        try reporting {
            let paths = namespaces.isEmpty ? nil : try namespaces.map { try NamespacePath($0) }
            try write("\(try options.open().issueEnforcer(name, namespaces: paths, now: now))\n")
        }
    }
}

struct CAShow: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show the roots and the enforcers' intermediates.")

    @OptionGroup var options: CAOptions

    func run() throws {
        try reporting {
            let contents = try options.open().contents()
            try write("trust domain  \(contents.trustDomain)\n")
            for root in contents.roots { try write("root          \(root.fingerprint)  until \(date(root.validity.notAfter))\n") }
            for enforcer in contents.enforcers {
                let namespaces = enforcer.facts.namespaces.map(\.description).joined(separator: ", ")
                let note = enforcer.isOfCurrentRoot ? "" : "  (of an older root: run `sallyport ca enforcer \(enforcer.name)`)"
                try write("enforcer      \(enforcer.name)  \(namespaces)  until \(date(enforcer.facts.validity.notAfter))\(note)\n")
            }
        }
    }

    /// "2027-01-31"
    private func date(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        let digits = { (number: Int32, count: Int) in String(repeating: "0", count: max(0, count - String(number).count)) + String(number) }
        return "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
    }
}

struct CARotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Make a new root, trusted beside the old one.",
        discussion: "Then copy each node's folder to it, run `ca enforcer` for each, copy again, and in the end run `ca retire`.")

    @OptionGroup var options: CAOptions

    func run() throws {
        try reporting {
            _ = try options.open().rotate(now: now)
            try write("a new root is trusted beside the old; copy the nodes' folders, then renew each with `sallyport ca enforcer NAME`\n")
        }
    }
}

struct CARetire: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "retire", abstract: "Trust the newest root alone.")

    @OptionGroup var options: CAOptions
    @Flag(help: "Even if enforcers still have intermediates of an older root; their flows will fail.")
    var force = false

    func run() throws {
        try reporting {
            _ = try options.open().retire(now: now, force: force)
            try write("older roots are no longer trusted; copy the nodes' folders\n")
        }
    }
}
