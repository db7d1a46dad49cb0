// When to look at the files: after what happens to them has come to rest.

/// Decides how long to wait after something happened. A value without a clock; times are CLOCK_MONOTONIC nanoseconds.
package struct Quiescence: Sendable {
    /// Editors and kubelet do all their steps within a few milliseconds.
    static let pause: UInt64 = 50_000_000
    /// Something that changes all the time is looked at nevertheless.
    static let patience: UInt64 = 2_000_000_000
    /// A file that was changed and is not closed yet is waited for: an empty one would take its documents away.
    static let patienceWithWriters: UInt64 = 10_000_000_000

    private var first: UInt64?
    private var last: UInt64 = 0

    package init() {}

    package mutating func happened(at now: UInt64) {
        first = first ?? now
        last = now
    }

    /// Asks for a look without a pause.
    package mutating func atOnce(from now: UInt64) {
        first = now
        last = now > Quiescence.pause ? now - Quiescence.pause : 0
    }

    package mutating func looked() { first = nil }

    /// Whether a look must count even if it is overtaken by the next change.
    package func isOutOfPatience(at now: UInt64) -> Bool { first.map { now >= $0 + Quiescence.patience } ?? true }

    /// How long to wait from `now` on before a look: 0 is at once, nil until something happens.
    package func wait(at now: UInt64, isBeingWritten: Bool) -> UInt64? {
        guard let first else { return nil }
        let calm = isBeingWritten ? UInt64.max : last + Quiescence.pause
        let end = min(calm, first + (isBeingWritten ? Quiescence.patienceWithWriters : Quiescence.patience))
        return end > now ? end - now : 0
    }
}
