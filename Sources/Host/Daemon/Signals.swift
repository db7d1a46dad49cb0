// Signals as values: their handler does nothing but write to a pipe, which a thread of their own reads.
//
// Blocking them and waiting with sigwait(3) would not do: libdispatch keeps the process's first thread in sigsuspend(2) with
// nothing blocked, and there a signal without a handler ends the process.

import Linux

/// The signals that tell the daemon something.
enum DaemonSignal: Sendable {
    /// SIGTERM, SIGINT: end.
    case stop
    /// SIGHUP: read drop-ins again, reopen the flow log.
    case reload

    private static let numbers = [SIGTERM, SIGINT, SIGHUP]

    /// Takes the signals from now on. Once.
    static func stream() throws(SystemCallError) -> AsyncStream<DaemonSignal> {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        // O_NONBLOCK for the handler's sake; the thread waits with poll(2).
        try syscall("pipe2") { pipe2(&ends, O_CLOEXEC | O_NONBLOCK) }
        let (stream, continuation) = AsyncStream.makeStream(of: DaemonSignal.self)
        let pipe = ends[0]
        signalPipe = ends[1]
        for number in numbers {
            signal(number) { number in
                let interrupted = errno
                var byte = UInt8(truncatingIfNeeded: number)
                write(signalPipe, &byte, 1)
                errno = interrupted
            }
        }
        _ = try RunningThread(name: "signals") {
            var waited = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
            var byte: UInt8 = 0
            while true {
                poll(&waited, 1, -1)
                while read(pipe, &byte, 1) == 1 { continuation.yield(Int32(byte) == SIGHUP ? .reload : .stop) }
            }
        }
        return stream
    }
}

/// Where the handler writes; write(2) may be called in one (signal-safety(7)).
private nonisolated(unsafe) var signalPipe: Int32 = -1  // safe: set once, before there is a handler
