// The flow log: takes records from the worker threads and, on a thread of its own, counts, keeps, shows and writes them.

import FlowFormat
import Linux
import Logging
import Prometheus
import SallyportProtocol
import Synchronization

public final class FlowLog: Sendable {
    private let queue: FlowQueue
    private let shared: FlowLogShared
    private let thread: RunningThread

    /// Starts the log's thread. A file that cannot be written is no error: it is logged, counted and tried again.
    ///
    /// - Parameter enforcer: This enforcer's name, for every record.
    /// - Throws: If there can be no further thread.
    public init(configuration: FlowLogConfiguration, enforcer: String, logger: Logger) throws(SystemCallError) {
        let queue = FlowQueue(capacity: configuration.queuedRecords)
        let shared = FlowLogShared(configuration: configuration, enforcer: enforcer)
        self.queue = queue
        self.shared = shared
        thread = try RunningThread(name: "flow-log") {
            var writer = FlowLogWriter(configuration: configuration, enforcer: enforcer, shared: shared, logger: logger)
            var work: FlowQueueWork
            repeat {
                work = queue.take()
                writer.handle(work)
                queue.finish(work.ticket)
            } while !work.stop
        }
    }

    /// Takes records from a worker thread. Never waits for the disk or a watcher; when 65,536 records
    /// (`queuedRecords`) already wait, the batch is dropped and counted.
    public func append(_ batch: consuming [FlowRecord]) { queue.append(batch) }

    /// Records since `since`, and then new ones.
    ///
    /// - Parameters:
    ///   - since: Nanoseconds since 1970; 0 for everything held in memory.
    ///   - follow: False to end after what is there.
    ///   - limit: End after as many; of what is there, the newest count. 0 for no limit.
    public func watch(since: Int64, follow: Bool, limit: Int = 0) -> FlowWatcher {
        shared.watch(since: since, follow: follow, limit: limit <= 0 ? .max : limit)
    }

    /// Opens the file again under its path: for SIGHUP, after something else has renamed it. Does not wait.
    public func reopen() { queue.requestReopen() }

    /// Waits until everything appended before is counted, shown and written.
    public func flush() { queue.flush() }

    /// Writes what is there, ends all watchers and the thread. Later records are dropped.
    public func stop() {
        guard queue.stop() else { return }
        thread.join()
        shared.endWatchers()
    }

    public var counters: FlowCounters { shared.counters }

    public var metrics: [MetricFamily] { counters.metrics }

    /// Flows refused for their PROXY header in the last hour.
    public var proxyRefusals: [ProxyRefusals.Count] { shared.proxyRefusals }
}

/// What the log's thread shares with those who ask.
final class FlowLogShared: Sendable {
    private struct State {
        var ring: FlowRing
        var watchers: [FlowWatcherQueue] = []
        var counters = FlowCounters()
        var proxyRefusals = ProxyRefusals()
    }

    private let state: Mutex<State>
    private let enforcer: String
    private let watcherRecords: Int

    init(configuration: FlowLogConfiguration, enforcer: String) {
        state = Mutex(State(ring: FlowRing(capacity: configuration.memoryRecords)))
        self.enforcer = enforcer
        watcherRecords = configuration.watcherRecords
    }

    var counters: FlowCounters { state.withLock { $0.counters } }

    var proxyRefusals: [ProxyRefusals.Count] { state.withLock { $0.proxyRefusals.counts(at: FlowLogShared.now) } }

    /// Seconds that are never set back.
    private static var now: Int64 { Int64(clinux_monotonic() / 1_000_000_000) }

    func change(_ body: (inout FlowCounters) -> Void) { state.withLock { body(&$0.counters) } }

    /// Counts all of `batch`.
    /// - Returns: Those of its records that are to be seen.
    func take(_ batch: [FlowRecord]) -> [FlowRecord] {
        state.withLock { state in
            for record in batch {
                state.counters.count(record)
                if ProxyRefusals.concerns(record) { state.proxyRefusals.count(record, at: FlowLogShared.now) }
            }
            let seen = batch.contains(where: \.isSilent) ? batch.filter { !$0.isSilent } : batch
            state.ring.append(seen)
            state.watchers.removeAll { !$0.offer(seen) }
            return seen
        }
    }

    func watch(since: Int64, follow: Bool, limit: Int) -> FlowWatcher {
        state.withLock { state in
            let queue = FlowWatcherQueue(
                backlog: state.ring.since(since, limit: limit), follow: follow, limit: limit, capacity: watcherRecords,
                enforcer: enforcer)
            // One that has its fill already goes at the next record.
            if follow { state.watchers.append(queue) }
            return FlowWatcher(queue)
        }
    }

    func endWatchers() {
        let watchers = state.withLock { state in
            let watchers = state.watchers
            state.watchers = []
            return watchers
        }
        for watcher in watchers { watcher.end() }
    }
}
