// One thread that waits for all ttrpc sockets of the process, and runs the actors that own them.

import Linux
import Synchronization

/// An epoll loop on a thread of its own that is also an actor executor: an actor that lives on it may use its
/// sockets and continuations without locks, never blocks the cooperative pool, and costs nothing while idle.
package final class EventLoop: SerialExecutor {
    private struct State: Sendable {
        var jobs: [UnownedJob] = []
        var sources: [UInt64: @Sendable (UInt32) -> Void] = [:]
        var timers = TimerQueue<@Sendable () -> Void>()
        /// Tokens are never used again, so that an event of a removed source finds nothing.
        var lastToken: UInt64 = 0
        /// A wake-up is on its way already.
        var woken = false
    }

    private let state = Mutex(State())
    private let thread = Atomic<UInt>(0)
    // Both stay open as long as the process: the loop never ends.
    private let epoll: Int32
    private let wake: Int32

    private static let instance = Mutex<EventLoop?>(nil)

    /// The process's loop, started on first use.
    package static func shared() throws(SystemCallError) -> EventLoop {
        try instance.withLock { (loop: inout sending EventLoop?) throws(SystemCallError) -> EventLoop in
            if let loop { return loop }
            let started = try EventLoop()
            loop = started
            return started
        }
    }

    private init() throws(SystemCallError) {
        let epoll = Descriptor(owning: try syscall("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        let wake = Descriptor(owning: try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) })
        try syscall("epoll_ctl") { clinux_epoll_ctl(epoll.raw, EPOLL_CTL_ADD, wake.raw, EPOLLIN.rawValue, 0) }
        self.epoll = epoll.release()
        self.wake = wake.release()
        do {
            // Never joined: the loop ends with the process.
            _ = try RunningThread(name: "ttrpc") { [self] in run() }
        } catch {
            close(self.epoll)
            close(self.wake)
            throw error
        }
    }

    // MARK: SerialExecutor

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        update { $0.jobs.append(job) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() { precondition(isCurrent, "not on the ttrpc loop's thread") }

    private var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    // MARK: Sockets and timers

    /// Calls `ready` on the loop's thread with the epoll events of `descriptor`, level-triggered, until `remove`.
    /// - Returns: A token for `change` and `remove`.
    func add(_ descriptor: Int32, events: UInt32, _ ready: @escaping @Sendable (UInt32) -> Void) throws(SystemCallError) -> UInt64 {
        let token = state.withLock {
            $0.lastToken += 1
            $0.sources[$0.lastToken] = ready
            return $0.lastToken
        }
        do {
            try syscall("epoll_ctl") { clinux_epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, events, token) }
        } catch {
            _ = state.withLock { $0.sources.removeValue(forKey: token) }
            throw error
        }
        return token
    }

    func change(_ descriptor: Int32, token: UInt64, events: UInt32) {
        // Fails only for a descriptor that is not registered, and every caller owns one that is.
        _ = clinux_epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, events, token)
    }

    func remove(_ descriptor: Int32, token: UInt64) {
        _ = state.withLock { $0.sources.removeValue(forKey: token) }
        _ = clinux_epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, 0, 0)
    }

    /// Calls `action` on the loop's thread once `CLOCK_MONOTONIC` reaches `deadline`, in nanoseconds.
    /// - Returns: An id for `cancel`.
    func schedule(at deadline: UInt64, _ action: @escaping @Sendable () -> Void) -> UInt64 {
        update { $0.timers.add(deadline, action) }
    }

    func cancel(timer: UInt64) {
        state.withLock { $0.timers.cancel(timer) }
    }

    /// Changes the state, and wakes the thread for it unless this is the thread or it is being woken.
    private func update<Result>(_ body: (inout State) -> Result) -> Result {
        let ownThread = isCurrent
        let (result, mustWake) = state.withLock {
            let result = body(&$0)
            let mustWake = !$0.woken && !ownThread
            if mustWake { $0.woken = true }
            return (result, mustWake)
        }
        if mustWake { eventfd_write(wake, 1) }
        return result
    }

    // MARK: The thread

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let (jobs, next) = state.withLock { state in
                defer { state.jobs.removeAll(keepingCapacity: true) }
                state.woken = false
                return (state.jobs, state.timers.next)
            }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            // Jobs may have queued jobs without a wake-up: look again before sleeping.
            let timeout = jobs.isEmpty ? EventLoop.milliseconds(until: next) : 0
            let count = epoll_wait(epoll, &events, Int32(events.count), timeout)
            if count > 0 { for index in 0..<Int(count) { dispatch(&events[index]) } }
            for action in state.withLock({ $0.timers.due(clinux_monotonic()) }) { action() }
        }
    }

    private func dispatch(_ event: inout epoll_event) {
        let token = clinux_epoll_data(&event)
        if token == 0 {
            var count: eventfd_t = 0
            eventfd_read(wake, &count)
        } else if let ready = state.withLock({ $0.sources[token] }) {
            ready(event.events)
        }
    }

    /// For epoll_wait(2): rounded up, so that a timer is due when the wait ends; -1 to wait for ever.
    private static func milliseconds(until deadline: UInt64?) -> Int32 {
        guard let deadline else { return -1 }
        let now = clinux_monotonic()
        return deadline <= now ? 0 : Int32(clamping: (deadline - now - 1) / 1_000_000 + 1)
    }
}
