// How long to wait before trying again.

/// Pauses that double from the first to the longest, each ± 20 % so that plugins which fell together do not rise together.
package struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var next_: Duration

    package init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
        next_ = first
    }

    init(_ times: PluginTimes) { self.init(first: times.firstPause, longest: times.longestPause) }

    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        defer { next_ = min(next_ * 2, longest) }
        return next_ * Double.random(in: 0.8...1.2, using: &generator)
    }

    mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    package mutating func reset() { next_ = first }
}

extension Duration {
    /// "1.2 s", "250 ms"
    var shown: String {
        self < .seconds(1)
            ? "\(Int(self / .milliseconds(1))) ms" : "\(Double(Int(self / .milliseconds(100))) / 10) s"
    }
}
