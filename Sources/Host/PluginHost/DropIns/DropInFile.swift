// From a file's bytes to a drop-in, strictly: what is not understood is an error with its place.

import PluginCarriers
import PolicyDocuments
import SallyportProtocol

extension DropIn {
    /// Bytes of a drop-in, and of the JSON that its `config` becomes.
    static let longestFile = 1 << 20
    static let longestConfig = 2 << 20

    /// Reads one drop-in.
    /// - Parameter file: Its name, "10-policy-file.yaml".
    init(reading bytes: [UInt8], file: String) throws(SettingsProblems) {
        guard let name = DropIn.name(ofFile: file) else {
            throw SettingsProblems(problems: [
                DocumentProblem(file: file, message: "is no name of a drop-in; use two digits and a name, as in 10-policy-file.yaml")
            ])
        }
        self = try decodeSettings(bytes, file: file, as: DropIn.form).get()
        self.file = file
        self.name = name
        do throws(DocumentProblem) {
            try check()
        } catch {
            throw SettingsProblems(problems: [error])
        }
    }

    /// "policy-file" of "10-policy-file.yaml"; nil if it is none.
    static func name(ofFile file: String) -> String? {
        let parts = file.split(separator: "-", maxSplits: 1)
        guard file.hasSuffix(".yaml"), parts.count == 2, parts[0].utf8.count == 2, parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let name = parts[1].dropLast(".yaml".count)
        let isName = name.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
        return isName && !name.isEmpty && name.utf8.count <= 63 ? String(name) : nil
    }

    /// What several fields have to say together.
    private mutating func check() throws(DocumentProblem) {
        if !user.isEmpty && isolation == .host {
            throw DocumentProblem(file: file, field: "user", message: "a plugin in the daemon's process has the daemon's user; leave it out, or use isolation: process")
        }
        guard let config, !config.isNull else { return }
        guard case .mapping = config.content else {
            throw DocumentProblem(
                file: file, line: config.line, column: config.column, field: "config", message: config.mismatch("a mapping").message)
        }
        configJSON = try config.json(path: "config", file: file, limit: DropIn.longestConfig)
    }

    private static let form = Form<DropIn>.mapping(
        [
            Field("version", \.version, version, .required),
            Field("plugin", \.plugin, .text("the name of a plugin"), .required),
            Field("kind", \.kind, kind, .optional("any")),
            Field("isolation", \.isolation, .word(["process": Isolation.process, "host": .host]), .optional("process")),
            Field("required", \.isRequired, .flag, .optional("false")),
            Field("disabled", \.isDisabled, .flag, .optional("false")),
            Field("sha256", \.sha256, digest, .optional("any")),
            Field("user", \.user, .text("the name of a user"), .optional("the daemon's")),
            Field("config", \.config, anything, .optional("{}")),
        ], initial: DropIn())

    /// There is one version; it is checked and not kept.
    private var version: Int {
        get { 1 }
        set {}
    }

    private static let version = Form<Int>("1", simple: { node throws(WrongType) in try node.integer("1", in: 1...1) })

    private static let anything = Form<YAMLNode?>("a mapping", simple: { node throws(WrongType) in node })

    private static let kind = Form<Sallyport_Plugin_V1_PluginKind?>.word([
        "policy-source": .policySource, "tls-provider": .tlsProvider, "load-balancer-adapter": .loadBalancerAdapter,
        "public-tls": .publicTls,
    ])

    private static let digest = Form<String>("64 hexadecimal digits", simple: { node throws(WrongType) in
        // All digits would be a number to YAML, and still be a digest.
        guard case .scalar(let text, _) = node.content, text.utf8.count == 64, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            throw node.mismatch("64 hexadecimal digits, as sha256sum prints")
        }
        return text.lowercased()
    })
}
