// The settings of one enforcer, with their defaults. docs/operations.md has the table.

import ControlAPI
import DataPath
import FlowLog
import Interception
import Logging

/// What `sallyportd.yaml` and the command line say. Its shape is the file's.
public struct DaemonConfiguration: Sendable {
    /// The enforcer's name: the node's. Certificates and policies know it by this.
    public var enforcer: String
    /// Threads of the data path.
    public var workers: Int
    public var trustDomain = ""
    public var stateDirectory = "/var/lib/sallyport"
    /// How units' connections are led to the enforcer: by steering where the kernel can, or by nat in any case.
    public var redirection = Redirection.steering
    public var logLevel = Logger.Level.info
    public var socket = Socket()
    public var plugins = Plugins()
    public var flowLog = FlowLogConfiguration(path: "/var/log/sallyport/flows.jsonl")
    public var limits = Limits()
    public var timeouts = DataPathConfiguration.Timeouts()
    public var tls = TLS()
    public var metrics = Metrics()

    public init(enforcer: String, workers: Int) {
        self.enforcer = enforcer
        self.workers = workers
    }

    /// The control socket.
    public struct Socket: Sendable {
        public var path = "/run/sallyport/sallyport.sock"
        /// Group whose members may use the read-only calls; nil for none.
        public var group: String?
    }

    /// Where plugins and their drop-ins are.
    public struct Plugins: Sendable {
        public var dropIns = "/etc/sallyport/plugins.d"
        public var directory = "/usr/lib/sallyport/plugins"
        public var runner = "/usr/lib/sallyport/sallyport-plugin-runner"
    }

    public struct Limits: Sendable {
        public var maxConnections = 100_000
    }

    public struct TLS: Sendable {
        /// Tickets between enforcers.
        public var resumption = true
        public var publicEngine = DataPathConfiguration.PublicEngine.boringSSL
    }

    public struct Metrics: Sendable {
        /// Where Prometheus may fetch metrics; nil for nowhere.
        public var address: MetricsAddress?
    }
}
