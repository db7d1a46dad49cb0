// The settings of one enforcer, with their defaults. docs/operations.md has the table.

import DataPath
import FlowLog

/// What `sallyportd.yaml` and the command line say.
public struct DaemonConfiguration: Sendable {
    /// The enforcer's name: the node's. Certificates and policies know it by this.
    public var enforcer: String
    public var workers: Int
    public var socket = "/run/sallyport/sallyport.sock"
    /// Group whose members may use the read-only calls; nil for none.
    public var socketGroup: String?
    public var dropInDirectory = "/etc/sallyport/plugins.d"
    public var pluginDirectory = "/usr/lib/sallyport/plugins"
    public var runner = "/usr/lib/sallyport/sallyport-plugin-runner"
    public var stateDirectory = "/var/lib/sallyport"
    public var trustDomain = ""
    public var flowLog = FlowLogConfiguration(path: "/var/log/sallyport/flows.jsonl")
    public var maximumConnections = 100_000
    public var timeouts = DataPathConfiguration.Timeouts()
    public var resumption = true
    /// Where Prometheus may fetch metrics: "unix:PATH" or "ADDRESS:PORT"; nil for nowhere.
    public var metricsAddress: String?
    public var logLevel = "info"

    public init(enforcer: String, workers: Int) {
        self.enforcer = enforcer
        self.workers = workers
    }
}
