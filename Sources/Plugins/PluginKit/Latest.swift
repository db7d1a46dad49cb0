// The newest state of something, for watches: whoever is slow skips what has been overtaken.

import Synchronization

/// Holds the newest value and wakes those who wait for a newer one.
///
/// A watch keeps what it has sent, takes the newest value when the host has room again, and sends the difference; no
/// queue grows while the host does not read.
public final class Latest<Value: Sendable>: Sendable {
    private struct State {
        var version: UInt64 = 0
        var value: Value?
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var waits: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Holds nothing until the first `set`.
    public init() {}

    public var value: Value? { state.withLock { $0.value } }

    public func set(_ value: Value) {
        let waiters = state.withLock { state in
            state.version += 1
            state.value = value
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The newest value, as soon as its version is above `version`; versions count from 1.
    /// - Throws: `CancellationError`.
    public func next(after version: UInt64) async throws -> (version: UInt64, value: Value) {
        while true {
            try Task.checkCancellation()
            let (newest, id) = state.withLock { state in
                state.waits += 1
                return (state.version > version ? state.value.map { (state.version, $0) } : nil, state.waits)
            }
            if let newest { return newest }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isOver = state.withLock { state in
                        if state.version > version || Task.isCancelled { return true }
                        state.waiters[id] = continuation
                        return false
                    }
                    if isOver { continuation.resume() }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
            }
        }
    }
}
