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
    /// Of the certificates of public ports: "720h".
    public var serviceLifetime: String?

    public init(directory: String, enforcer: String? = nil, lifetime: String? = nil, serviceLifetime: String? = nil) {
        self.directory = directory
        self.enforcer = enforcer
        self.lifetime = lifetime
        self.serviceLifetime = serviceLifetime
    }

    static let settings = [
        PluginSetting(
            "directory", type: "absolute path", summary: "the folder made by `sallyport ca enforcer`, or a whole CA's folder", required: true),
        PluginSetting(
            "enforcer", type: "name", summary: "in a CA's folder, whose intermediate to use", defaultValue: "the enforcer's name"),
        PluginSetting(
            "lifetime", type: "duration of 1m to 720h, such as 24h", summary: "how long certificates of processing units last", defaultValue: "24h"),
        PluginSetting(
            "serviceLifetime", type: "duration of 1m to 8760h, such as 720h", summary: "how long certificates of public ports last",
            defaultValue: "720h"),
    ]

    /// Short, so that a key that leaked soon serves nobody; long enough to outlast a night without the plugin.
    static let defaultLifetime: Int64 = 24 * 3600

    /// A month, of which the last ten days are for mending what keeps it from being renewed.
    static let defaultServiceLifetime: Int64 = 30 * 86400

    /// Seconds; nil if what is written is no duration, or out of bounds.
    var lifetimeSeconds: Int64? { Self.seconds(lifetime, 60...720 * 3600, Self.defaultLifetime) }
    var serviceLifetimeSeconds: Int64? { Self.seconds(serviceLifetime, 60...365 * 86400, Self.defaultServiceLifetime) }

    private static func seconds(_ text: String?, _ bounds: ClosedRange<Int64>, _ standard: Int64) -> Int64? {
        guard let text else { return standard }
        guard let seconds = ConfigDuration(text)?.seconds, bounds.contains(seconds) else { return nil }
        return seconds
    }

    func problems() -> [ConfigProblem] {
        var problems: [ConfigProblem] = []
        if !directory.hasPrefix("/") { problems.append(ConfigProblem(field: "directory", "must be an absolute path")) }
        if let enforcer, !SPIFFEID.isSegment(enforcer) {
            problems.append(ConfigProblem(field: "enforcer", "must be the name of an enforcer: letters, digits, '.', '-' and '_'"))
        }
        if lifetimeSeconds == nil { problems.append(ConfigProblem(field: "lifetime", "must be a duration of 1m to 720h, such as 24h")) }
        if serviceLifetimeSeconds == nil {
            problems.append(ConfigProblem(field: "serviceLifetime", "must be a duration of 1m to 8760h, such as 720h"))
        }
        return problems
    }

    /// The folder to read: `directory` itself, or an enforcer's in it where it is a CA's.
    func folder(for host: HostFacts) -> String {
        guard CertificateAuthority.isPresent(at: directory) else { return directory }
        return CertificateAuthority.folder(ofEnforcer: enforcer ?? host.enforcer, in: directory)
    }
}
