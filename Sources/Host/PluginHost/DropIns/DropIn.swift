// One drop-in: plugins.d/NN-name.yaml.

import PluginCarriers
import PolicyDocuments
import SallyportProtocol

/// What an operator says of one plugin.
struct DropIn: Sendable {
    enum Isolation: String, Sendable { case process, host }

    /// The file's name without its number and ".yaml": what the plugin is called in messages.
    var name = ""
    /// The file's name.
    var file = ""
    var plugin = ""
    var kind: Sallyport_Plugin_V1_PluginKind?
    var isolation = Isolation.process
    var isRequired = false
    var isDisabled = false
    /// In lower case; empty for any.
    var sha256 = ""
    /// Empty for the daemon's.
    var user = ""
    /// As it is written, for the places in messages.
    var config: YAMLNode?
    var configJSON = "{}"

    /// Whether a plugin that runs under `other` must end to run under this. A change of `config` is no reason.
    func needsRestart(from other: DropIn) -> Bool {
        (plugin, sha256, user) != (other.plugin, other.sha256, other.user)
            || (kind, isolation, isDisabled) != (other.kind, other.isolation, other.isDisabled)
    }

    /// "load-balancer-static" is what services call `adapter: static`.
    var adapterName: String {
        let prefix = "load-balancer-"
        return plugin.hasPrefix(prefix) ? String(plugin.dropFirst(prefix.count)) : plugin
    }

    /// What a plugin says is wrong with its configuration, with the place in the file.
    func problems(_ found: [Sallyport_Plugin_V1_ConfigProblem]) -> [String] {
        found.map { problem in
            let node = config?.nearest(to: problem.field)
            let field = problem.field.isEmpty ? "config" : "config.\(problem.field)"
            return "\(DocumentProblem(file: file, line: node?.line ?? 0, column: node?.column ?? 0, field: field, message: problem.message))"
        }
    }
}
