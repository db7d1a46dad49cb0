// Wait until the files are at rest, read what changed, publish; again and again.

import Linux
import PluginKit

/// What the watching thread knows between two turns.
struct WatchLoop: ~Copyable {
    /// How often to look where inotify cannot tell.
    private static let period: UInt64 = 10_000_000_000

    private var watches: DirectoryWatches
    private let states: Latest<PolicyState>
    private let log: @Sendable (PluginLogLevel, String) -> Void
    private var directory = ""
    private var links: [String] = []
    private var reader = DirectoryReader()
    private var ledger = PolicyLedger()
    private var quiescence = Quiescence()
    private var isBlind = false

    init(watches: consuming DirectoryWatches, states: Latest<PolicyState>, log: @escaping @Sendable (PluginLogLevel, String) -> Void) {
        self.watches = watches
        self.states = states
        self.log = log
    }

    /// Waits once or looks once.
    /// - Returns: Whether to go on.
    mutating func turn(_ orders: PolicyWatcher.Orders, bell: Int32) -> Bool {
        if orders.directory != directory {
            directory = orders.directory
            links = []
            reader = DirectoryReader()
            quiescence.atOnce(from: clinux_monotonic())
        }
        do throws(SystemCallError) {
            let wait = quiescence.wait(at: clinux_monotonic(), isBeingWritten: watches.isBeingWritten)
            if wait == 0 {
                try look()
            } else {
                sleep(bell, for: wait)
                try listen()
            }
            return true
        } catch {
            log(.error, "policy files are no longer watched, and stay as they are: \(error)")
            return false
        }
    }

    /// Notes what happened.
    /// - Returns: Whether anything did.
    @discardableResult
    private mutating func listen() throws(SystemCallError) -> Bool {
        let activity = try watches.look()
        if activity.isIncomplete { reader = DirectoryReader() }
        if activity.isRelevant { quiescence.happened(at: clinux_monotonic()) }
        return activity.isRelevant
    }

    /// Reads the directory, and publishes what came out unless it changed meanwhile.
    private mutating func look() throws(SystemCallError) {
        let patience = quiescence.isOutOfPatience(at: clinux_monotonic())
        // Watched before it is read, so that no change falls between the two.
        follow()
        var next = reader
        let reading = Result { () throws(SystemCallError) in try next.read(directory) }
        if case .success(let reading) = reading { links = reading.links }
        let isNew = follow()
        if isNew { quiescence.happened(at: clinux_monotonic()) }
        let isMoving = try listen() || isNew
        if isMoving && !patience { return }
        reader = next
        switch reading {
        case .success(let reading): ledger.apply(reading)
        case .failure(let error): ledger.fail(directory: directory, reason(error))
        }
        watches.forgetWriters()
        quiescence.looked()
        if isMoving { quiescence.happened(at: clinux_monotonic()) }
        publish()
    }

    /// - Returns: Whether something is watched now that was not before.
    @discardableResult
    private mutating func follow() -> Bool {
        do throws(SystemCallError) {
            let isNew = try watches.follow(directory, links: links)
            isBlind = false
            ledger.watchProblem = nil
            return isNew
        } catch {
            isBlind = true
            ledger.watchProblem =
                "changes are only noticed every \(WatchLoop.period / 1_000_000_000) s (\(error)); raise fs.inotify.max_user_watches"
            return false
        }
    }

    private func publish() {
        let state = ledger.state
        guard states.value != state else { return }
        log(.info, "\(state.objects.count) documents in force, \(state.problems.count) problems")
        states.set(state)
    }

    private func reason(_ error: SystemCallError) -> String {
        error.errno == ENOENT
            ? "the directory does not exist; create it, or set another one"
            : "the directory cannot be read: \(String(cString: strerror(error.errno)))"
    }

    /// Sleeps until something happens, there are orders, or the time is over.
    private mutating func sleep(_ bell: Int32, for wait: UInt64?) {
        var polled = [pollfd(fd: watches.descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
        let limit = isBlind ? min(wait ?? .max, WatchLoop.period) : wait
        let ready = poll(&polled, nfds_t(polled.count), limit.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1)
        if ready == 0 && isBlind && wait == nil { quiescence.atOnce(from: clinux_monotonic()) }
        var rings: UInt64 = 0
        _ = eventfd_read(bell, &rings)
    }
}
