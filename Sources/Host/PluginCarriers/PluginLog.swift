// Where a plugin's log lines go, and how many of them (docs/plugin-abi.md §6).

import CSallyportPlugin
import Linux
import Synchronization

/// Takes one line of a plugin, with a level of syslog(3).
public typealias PluginLog = @Sendable (_ level: Int32, _ text: String) -> Void

/// Passes on 100 lines a second, after a burst of 200, and says how many it dropped.
final class LogGate: Sendable {
    static let burst = 200
    static let linesPerSecond: UInt64 = 100

    private struct State: Sendable {
        var tokens = LogGate.burst
        var filled: UInt64
        var dropped = 0
    }

    private let state: Mutex<State>
    private let output: PluginLog
    private let now: @Sendable () -> UInt64

    /// - Parameter now: Nanoseconds of a clock that does not go back.
    init(_ output: @escaping PluginLog, now: @escaping @Sendable () -> UInt64 = { clinux_monotonic() }) {
        self.output = output
        self.now = now
        state = Mutex(State(filled: now()))
    }

    /// - Returns: Whether the line was passed on.
    @discardableResult
    func log(_ level: Int32, _ text: String) -> Bool {
        let (passes, dropped) = state.withLock { state in
            let interval = 1_000_000_000 / LogGate.linesPerSecond
            let earned = (now() - state.filled) / interval
            state.filled += earned * interval
            state.tokens = min(LogGate.burst, state.tokens + Int(min(earned, UInt64(LogGate.burst))))
            guard state.tokens > 0 else {
                state.dropped += 1
                return (false, 0)
            }
            state.tokens -= 1
            defer { state.dropped = 0 }
            return (true, state.dropped)
        }
        if dropped > 0 { output(SALLYPORT_LOG_WARNING, "\(dropped) lines dropped: over \(LogGate.linesPerSecond) a second") }
        if passes { output(level, text) }
        return passes
    }
}
