// The settings of the plugin.

import Linux
import PKI
import PluginKit

/// `config` of the drop-in.
public struct InternalCAConfiguration: Decodable, Sendable, Equatable {
    /// The folder that `sallyport ca enforcer` gave this node; or a whole CA's, on a machine that holds one.
    public var directory: String
    /// In a CA's folder: which enforcer this is. Its name in the daemon's configuration by default.
    public var enforcer: String?
    /// Of leaves: "24h".
    public var lifetime: String?

    public init(directory: String, enforcer: String? = nil, lifetime: String? = nil) {
        self.directory = directory
        self.enforcer = enforcer
        self.lifetime = lifetime
    }

    static let settings = [
        PluginSetting(
            "directory", type: "absolute path", summary: "the folder made by `sallyport ca enforcer`, or a whole CA's folder", required: true),
        PluginSetting(
            "enforcer", type: "name", summary: "in a CA's folder, whose intermediate to use", defaultValue: "the enforcer's name"),
        PluginSetting(
            "lifetime", type: "duration of 1m to 720h, such as 24h", summary: "how long certificates of processing units last", defaultValue: "24h"),
    ]

    /// Short, so that a key that leaked soon serves nobody; long enough to outlast a night without the plugin.
    static let defaultLifetime: Int64 = 24 * 3600

    /// Seconds; nil if what is written is no duration, or out of bounds.
    var lifetimeSeconds: Int64? {
        guard let lifetime else { return Self.defaultLifetime }
        guard let unit = lifetime.last, let scale = ["s": Int64(1), "m": 60, "h": 3600, "d": 86400][unit],
            let count = Int64(lifetime.dropLast()), case (let seconds, false) = count.multipliedReportingOverflow(by: scale),
            (60...720 * 3600).contains(seconds)
        else { return nil }
        return seconds
    }

    func problems() -> [ConfigProblem] {
        var problems: [ConfigProblem] = []
        if !directory.hasPrefix("/") { problems.append(ConfigProblem(field: "directory", "must be an absolute path")) }
        if let enforcer, !SPIFFEID.isSegment(enforcer) {
            problems.append(ConfigProblem(field: "enforcer", "must be the name of an enforcer: letters, digits, '.', '-' and '_'"))
        }
        if lifetimeSeconds == nil { problems.append(ConfigProblem(field: "lifetime", "must be a duration of 1m to 720h, such as 24h")) }
        return problems
    }

    /// The folder to read: `directory` itself, or an enforcer's in it where it is a CA's.
    func folder(for host: HostFacts) -> String {
        guard CertificateAuthority.isPresent(at: directory) else { return directory }
        return CertificateAuthority.folder(ofEnforcer: enforcer ?? host.enforcer, in: directory)
    }
}
