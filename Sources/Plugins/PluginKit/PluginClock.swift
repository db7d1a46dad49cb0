// The time that a plugin works by, so that tests can turn it.

import Linux

/// A clock in seconds and a way to wait on it.
package struct PluginClock: Sendable {
    package let now: @Sendable () -> Int64
    /// Waits until then, or wakes before, to be asked again.
    /// - Returns: false if the wait was cancelled.
    package let wait: @Sendable (Int64) async -> Bool

    package init(now: @escaping @Sendable () -> Int64, wait: @escaping @Sendable (Int64) async -> Bool) {
        self.now = now
        self.wait = wait
    }

    /// Seconds since some fixed moment; never goes back.
    package static let monotonic = PluginClock(longest: .max) { Int64(clinux_monotonic() / 1_000_000_000) }

    /// Seconds since 1970. It may be set while somebody waits, who therefore wakes once an hour.
    package static let realtime = PluginClock(longest: 3600) { clinux_realtime() / 1_000_000_000 }

    private init(longest: Int64, now: @escaping @Sendable () -> Int64) {
        self.now = now
        wait = { time in
            do {
                // Rounded up: a wait that ends early would find nothing due, and wait again.
                try await Task.sleep(for: .seconds(min(longest, max(0, time - now()) + 1)))
                return true
            } catch {
                return false
            }
        }
    }
}
