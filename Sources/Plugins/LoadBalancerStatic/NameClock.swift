// The time that names are resolved by, so that tests can turn it.

import Linux

/// A clock in seconds and a way to wait on it.
package struct NameClock: Sendable {
    /// Seconds since some fixed moment; never goes back.
    package let now: @Sendable () -> Int64
    /// Waits until then.
    /// - Returns: false if the wait was cancelled.
    package let wait: @Sendable (Int64) async -> Bool

    package init(now: @escaping @Sendable () -> Int64, wait: @escaping @Sendable (Int64) async -> Bool) {
        self.now = now
        self.wait = wait
    }

    package static let monotonic = NameClock(now: seconds) { time in
        do {
            // Rounded up: a wait that ends early would find nothing due, and wait again.
            try await Task.sleep(for: .seconds(max(0, time - seconds()) + 1))
            return true
        } catch {
            return false
        }
    }

    @Sendable private static func seconds() -> Int64 { Int64(clinux_monotonic() / 1_000_000_000) }
}
