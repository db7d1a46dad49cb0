// When a worker wakes although nothing has come.

import Linux

/// A clock that wakes an epoll loop, timerfd_create(2). It is set when a deadline comes to be the first, and not for each
/// wait: of epoll_wait(2) with a timeout the kernel makes a timer, and takes it away, each time that it sleeps (docs/performance.md).
struct Alarm: ~Copyable {
    let event: Int32
    /// When it rings, ns of CLOCK_MONOTONIC; never as `.max`.
    private var set: UInt64 = .max

    init() throws(SystemCallError) {
        event = try syscall("timerfd_create") { timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK)) }
    }

    deinit { close(event) }

    /// Rings at a deadline, or earlier. One that has passed rings at once.
    @inline(__always)
    mutating func ring(by deadline: UInt64) {
        if deadline < set { ring(at: deadline) }
    }

    private mutating func ring(at deadline: UInt64) {
        var time = itimerspec()
        time.it_value.tv_sec = Int(deadline / 1_000_000_000)
        time.it_value.tv_nsec = Int(deadline % 1_000_000_000)
        if timerfd_settime(event, Int32(TFD_TIMER_ABSTIME), &time, nil) == 0 { set = deadline }
    }

    /// It has rung, and is silent until it is set again.
    mutating func rang() {
        var times: UInt64 = 0
        _ = read(event, &times, 8)
        set = .max
    }
}
