// Metrics as the parts of the daemon report them.

/// All samples of one name.
public struct MetricFamily: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// Only ever rises, until the process ends; its name ends in `_total`.
        case counter
        case gauge
    }

    public struct Sample: Sendable, Equatable {
        /// Names and values, in the order they are written.
        public var labels: [Label]
        public var value: Double

        public init(_ value: Double, labels: [Label] = []) {
            self.labels = labels
            self.value = value
        }
    }

    public struct Label: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// `[a-z_]+`, beginning with "sallyport_", its unit at the end where it has one.
    public var name: String
    public var help: String
    public var kind: Kind
    public var samples: [Sample]

    public init(_ name: String, _ kind: Kind, help: String, samples: [Sample]) {
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }

    /// A family of one sample without labels.
    public init(_ name: String, _ kind: Kind, help: String, _ value: Double) {
        self.init(name, kind, help: help, samples: [Sample(value)])
    }
}
