// What does not change while the data path runs.

/// Settings of the data path; BEHAVIOUR's defaults.
public struct DataPathConfiguration: Sendable {
    /// Worker threads.
    public var workers = 1
    /// New connections past this many are refused.
    public var maximumConnections = 100_000
    /// SO_MARK of connections dialled for clients: interception leaves them alone where they leave the PU.
    public var dialMark: UInt32
    /// SO_MARK of connections dialled to applications: interception leaves them alone everywhere.
    public var deliveryMark: UInt32
    /// Whether TLS sessions between enforcers may be resumed by tickets.
    public var resumption = true
    /// What ends the TLS of public ports' clients. Those that must show a certificate are always OpenSSL's.
    public var publicEngine = PublicEngine.boringSSL
    public var timeouts = Timeouts()

    public enum PublicEngine: Sendable {
        /// Takes about half of the other's time for a handshake (docs/performance.md).
        case boringSSL
        /// The distribution's, for whoever must have its patches or its FIPS provider.
        case openSSL
    }

    public struct Timeouts: Sendable {
        public var handshake: Duration = .seconds(10)
        public var dial: Duration = .seconds(5)
        public var proxyHeader: Duration = .seconds(3)
        public var halfClosed: Duration = .seconds(300)
        /// How long live flows may go on once a policy with `onPolicyChange: Drain` ends them, or the enforcer drains.
        public var drain: Duration = .seconds(30)
        /// A flow that lasts this long leaves a record of its start.
        public var lasting: Duration = .seconds(10)

        public init() {}
    }

    public init(dialMark: UInt32, deliveryMark: UInt32) {
        self.dialMark = dialMark
        self.deliveryMark = deliveryMark
    }
}
