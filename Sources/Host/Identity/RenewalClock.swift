// Time and chance, as renewals see them.

import Linux

/// The clock that certificates are renewed by. Tests give their own.
public struct RenewalClock: Sendable {
    /// Seconds since 1970.
    public var now: @Sendable () -> Int64
    /// Waits so many seconds; throws when the task is cancelled.
    public var sleep: @Sendable (Int64) async throws -> Void
    /// A random number of the range.
    public var random: @Sendable (ClosedRange<Double>) -> Double

    public init(
        now: @escaping @Sendable () -> Int64, sleep: @escaping @Sendable (Int64) async throws -> Void,
        random: @escaping @Sendable (ClosedRange<Double>) -> Double
    ) {
        self.now = now
        self.sleep = sleep
        self.random = random
    }

    public static let system = RenewalClock(
        now: { clinux_realtime() / 1_000_000_000 },
        sleep: { try await Task.sleep(for: .seconds($0), tolerance: .seconds(1)) },
        random: { .random(in: $0) })
}
