// Durations as settings write them.

/// A duration in a plugin's `config`: "90s", "15m", "24h", "7d".
public struct ConfigDuration: Decodable, Sendable, Equatable {
    public let seconds: Int64

    public init(seconds: Int64) { self.seconds = seconds }

    /// nil if `text` is no whole number with one of the units.
    public init?(_ text: String) {
        guard let unit = text.last, let scale = ["s": Int64(1), "m": 60, "h": 3600, "d": 86400][unit],
            let count = Int64(text.dropLast()), count >= 0,
            case (let seconds, false) = count.multipliedReportingOverflow(by: scale)
        else { return nil }
        self.seconds = seconds
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let duration = ConfigDuration(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no duration such as 90s, 15m or 24h")
        }
        self = duration
    }
}
