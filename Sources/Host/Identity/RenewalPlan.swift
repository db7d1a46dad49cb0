// When a certificate is asked for, and when again.

/// The dates of one processing unit's certificate; a value without I/O.
struct RenewalPlan: Sendable {
    /// A renewal is due between these parts of a certificate's life: about two thirds, each at a moment of its own, so that
    /// the units of a node do not all come at once, and with a third left for a provider that is away.
    static let dueAt = 0.60...0.70
    static let firstPause: Int64 = 1
    static let longestPause: Int64 = 60
    /// However short-lived certificates are, no more than one a second is asked for.
    static let shortestLife: Int64 = 1

    /// Seconds since 1970; 0 for at once.
    private(set) var due: Int64 = 0
    private var failures = 0

    /// - Parameter random: Gives a number of a range.
    mutating func succeeded(at now: Int64, notAfter: Int64, random: (ClosedRange<Double>) -> Double) {
        failures = 0
        // From now, not from notBefore: that lies back by what clocks may differ.
        let life = Double(max(notAfter - now, 0))
        due = now + max(Int64((life * random(Self.dueAt)).rounded()), Self.shortestLife)
    }

    /// - Returns: Seconds until the next attempt: doubling from one to 60, each ± 20 %.
    mutating func failed(at now: Int64, random: (ClosedRange<Double>) -> Double) -> Int64 {
        let pause = min(Self.firstPause << min(failures, 6), Self.longestPause)
        failures += 1
        let jittered = max(Int64((Double(pause) * random(0.8...1.2)).rounded()), 1)
        due = now + jittered
        return jittered
    }
}
