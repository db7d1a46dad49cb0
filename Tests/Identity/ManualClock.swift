// A clock that stands until a test moves it.

import Identity
import Synchronization

final class ManualClock: Sendable {
    private let state: Mutex<State>

    private struct State {
        var now: Int64
        var random = 0.5
        var nextSleeper = 0
        var sleepers: [Int: (until: Int64, wake: CheckedContinuation<Void, any Error>)] = [:]
    }

    init(_ now: Int64) { state = Mutex(State(now: now)) }

    var now: Int64 { state.withLock { $0.now } }
    /// When each sleeper wakes, soonest first.
    var wakeups: [Int64] { state.withLock { $0.sleepers.values.map(\.until).sorted() } }

    /// Which part of each random range comes up, from 0 to 1.
    func setChance(_ part: Double) { state.withLock { $0.random = part } }

    func advance(_ seconds: Int64) {
        let woken = state.withLock { state in
            state.now += seconds
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for key in due.keys { state.sleepers[key] = nil }
            return due.values.map(\.wake)
        }
        for wake in woken { wake.resume() }
    }

    var clock: RenewalClock {
        RenewalClock(
            now: { self.now }, sleep: { try await self.sleep($0) },
            random: { range in range.lowerBound + (range.upperBound - range.lowerBound) * self.state.withLock { $0.random } })
    }

    private func sleep(_ seconds: Int64) async throws {
        let id = state.withLock { state in
            defer { state.nextSleeper += 1 }
            return state.nextSleeper
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (wake: CheckedContinuation<Void, any Error>) in
                let cancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.sleepers[id] = (state.now + seconds, wake)
                    return false
                }
                if cancelled { wake.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: id) }?.wake.resume(throwing: CancellationError())
        }
    }

    /// Waits until `count` sleep, with nothing left to do before time moves; the time limit of the test ends a wait in vain.
    func settled(_ count: Int) async {
        while wakeups.count != count && !Task.isCancelled { await Task.yield() }
    }
}
