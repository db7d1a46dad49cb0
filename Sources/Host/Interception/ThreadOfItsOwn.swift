// A thread for one piece of work that must not leave its mark on any other.

import Linux
import Synchronization

/// Runs `body` on a new thread, waits for its end and gives what it returned or threw.
func onThreadOfItsOwn<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let outcome = Outcome<Value>()
    try RunningThread(name: "namespace") { outcome.result.withLock { $0 = Result { try body() } } }.join()
    guard let result = outcome.result.withLock({ $0 }) else { throw SystemCallError(call: "pthread_join", errno: ESRCH) }
    return try result.get()
}

private final class Outcome<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
}
