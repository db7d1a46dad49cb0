// Signals as values: a thread of their own waits for them, so that no handler runs anywhere.

import Linux

/// The signals that tell the daemon something.
enum DaemonSignal: Sendable {
    /// SIGTERM, SIGINT: end.
    case stop
    /// SIGHUP: read drop-ins again, reopen the flow log.
    case reload

    private static let numbers = [SIGTERM, SIGINT, SIGHUP]

    /// Takes the signals from now on. Call before any thread is started: threads inherit the mask.
    static func stream() throws(SystemCallError) -> AsyncStream<DaemonSignal> {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream.makeStream(of: DaemonSignal.self)
        let waited = set
        _ = try RunningThread(name: "signals") {
            var set = waited
            var number: Int32 = 0
            while sigwait(&set, &number) == 0 { continuation.yield(number == SIGHUP ? .reload : .stop) }
        }
        return stream
    }
}
