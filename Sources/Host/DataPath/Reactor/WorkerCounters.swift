// What a worker counts, readable from any thread.

import Synchronization

/// Running totals of one worker; written by it alone.
final class WorkerCounters: Sendable {
    let live = Atomic<Int>(0)
    let accepted = Atomic<UInt64>(0)
    let refused = Atomic<UInt64>(0)
    let handshakes = Atomic<UInt64>(0)
    let resumed = Atomic<UInt64>(0)
    let acceptFailures = Atomic<UInt64>(0)
    let healthChecks = Atomic<UInt64>(0)
}

/// Totals over all workers, for `sallyport status` and the metrics.
public struct DataPathCounters: Sendable {
    public var live = 0
    public var accepted: UInt64 = 0
    public var refused: UInt64 = 0
    public var handshakes: UInt64 = 0
    public var resumed: UInt64 = 0
    /// accept(2) failed for want of descriptors or memory.
    public var acceptFailures: UInt64 = 0
    /// Connections that ended before they said anything.
    public var healthChecks: UInt64 = 0

    mutating func add(_ worker: WorkerCounters) {
        live += worker.live.load(ordering: .relaxed)
        accepted += worker.accepted.load(ordering: .relaxed)
        refused += worker.refused.load(ordering: .relaxed)
        handshakes += worker.handshakes.load(ordering: .relaxed)
        resumed += worker.resumed.load(ordering: .relaxed)
        acceptFailures += worker.acceptFailures.load(ordering: .relaxed)
        healthChecks += worker.healthChecks.load(ordering: .relaxed)
    }
}
