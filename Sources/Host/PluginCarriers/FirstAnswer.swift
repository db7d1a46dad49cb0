// A value that one task waits for and several may give; the first counts.

import Synchronization

/// What is waited for with a limit: the work gives one answer, a timer another.
final class FirstAnswer<Value: Sendable>: Sendable {
    private enum State: Sendable {
        case open(CheckedContinuation<Value, Never>?)
        case given(Value)
    }

    private let state = Mutex(State.open(nil))

    /// - Returns: Whether this was the first.
    @discardableResult
    func give(_ value: Value) -> Bool {
        let waiter: CheckedContinuation<Value, Never>?? = state.withLock { state in
            guard case .open(let waiter) = state else { return nil }
            state = .given(value)
            return .some(waiter)
        }
        guard let waiter else { return false }
        waiter?.resume(returning: value)
        return true
    }

    /// Waits for the first answer, or gives `late` after `limit`. Called once.
    func value(within limit: Duration, late: Value) async -> Value {
        let timer = Task {
            try await Task.sleep(for: limit)
            give(late)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { continuation in
            let given: Value? = state.withLock { state in
                if case .given(let value) = state { return value }
                state = .open(continuation)
                return nil
            }
            if let given { continuation.resume(returning: given) }
        }
    }
}
