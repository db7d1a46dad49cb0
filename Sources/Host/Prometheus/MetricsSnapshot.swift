// The text that Prometheus reads (https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4).

/// All metrics of the daemon at one moment.
public struct MetricsSnapshot: Sendable, Equatable {
    public var families: [MetricFamily]

    public init(_ families: [MetricFamily] = []) { self.families = families }

    public var text: String {
        var text = ""
        for family in families where !family.samples.isEmpty {
            text += "# HELP \(family.name) \(escape(family.help, quotes: false))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
            for sample in family.samples {
                text += family.name
                if !sample.labels.isEmpty {
                    let labels = sample.labels.map { "\($0.name)=\"\(escape($0.value, quotes: true))\"" }
                    text += "{\(labels.joined(separator: ","))}"
                }
                text += " \(number(sample.value))\n"
            }
        }
        return text
    }

    private func escape(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Counters without a fraction: 2^53 is the last number up to which a Double holds every integer.
    private func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return abs(value) < 0x20_0000_0000_0000 && value == value.rounded() ? "\(Int64(value))" : "\(value)"
    }
}
