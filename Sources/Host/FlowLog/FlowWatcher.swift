// One who watches flows: a bounded queue of its own, and a count of what it missed.

import SallyportProtocol
import Synchronization

/// Records for one watcher, until it is released. One task at a time may wait in `next`.
public final class FlowWatcher: Sendable {
    let queue: FlowWatcherQueue

    init(_ queue: FlowWatcherQueue) { self.queue = queue }

    deinit { queue.end() }

    /// - Returns: The next records, with how many were lost *after* them because they were not taken in time;
    ///   nil after the last, when the flow log stops, or when the task is cancelled.
    public func next() async -> Sallyport_Control_V1_WatchFlowsResponse? { await queue.next() }
}

final class FlowWatcherQueue: Sendable {
    /// A message stays far below ttrpc's 4 MiB: as many records, or as many bytes of names and tags.
    private static let recordsPerMessage = 64
    private static let bytesPerMessage = 1 << 20

    private struct State {
        var records: ArraySlice<FlowRecord>
        var missed: UInt64 = 0
        /// How many more this watcher wants.
        var remaining: Int
        var isEnded = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    private let capacity: Int
    private let enforcer: String

    /// - Parameters:
    ///   - backlog: What it gets first, beyond `capacity`.
    ///   - limit: It ends after as many records.
    init(backlog: [FlowRecord], follow: Bool, limit: Int, capacity: Int, enforcer: String) {
        let remaining = limit - min(limit, backlog.count)
        state = Mutex(State(records: backlog.suffix(limit), remaining: remaining, isEnded: !follow || remaining == 0))
        self.capacity = capacity
        self.enforcer = enforcer
    }

    /// Adds records, or counts them as missed while there is no room.
    /// - Returns: False if it wants no more.
    func offer(_ batch: [FlowRecord]) -> Bool {
        let (wantsMore, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isEnded else { return (false, nil) }
            // Once there is a gap it grows until the watcher has taken what lies before it.
            let room = state.missed > 0 ? 0 : capacity - min(capacity, state.records.count)
            let wanted = batch.prefix(state.remaining)
            let taken = wanted.prefix(room)
            state.records += taken
            state.missed += UInt64(wanted.count - taken.count)
            state.remaining -= taken.count
            state.isEnded = state.remaining == 0
            let waiter = state.waiter
            state.waiter = nil
            return (!state.isEnded, waiter)
        }
        waiter?.resume()
        return wantsMore
    }

    func end() {
        let waiter = state.withLock { state in
            state.isEnded = true
            let waiter = state.waiter
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    func next() async -> Sallyport_Control_V1_WatchFlowsResponse? {
        while !Task.isCancelled {
            let (records, missed, isEnded) = state.withLock { take(&$0) }
            if !records.isEmpty || missed > 0 {
                return .with {
                    $0.flows = records.map { Sallyport_Flow_V1_Flow($0, enforcer: enforcer) }
                    $0.missed = missed
                }
            }
            if isEnded { return nil }
            await wait()
        }
        end()
        return nil
    }

    private func take(_ state: inout State) -> (ArraySlice<FlowRecord>, missed: UInt64, isEnded: Bool) {
        var bytes = 0
        var count = 0
        for record in state.records.prefix(FlowWatcherQueue.recordsPerMessage) {
            bytes += record.source.weight + record.destination.weight
            if count > 0 && bytes > FlowWatcherQueue.bytesPerMessage { break }
            count += 1
        }
        let records = state.records.prefix(count)
        state.records.removeFirst(count)
        guard state.records.isEmpty else { return (records, 0, false) }
        let missed = state.missed
        state.missed = 0
        return (records, missed, state.isEnded)
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.records.isEmpty || state.missed > 0 || state.isEnded { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            end()
        }
    }
}
