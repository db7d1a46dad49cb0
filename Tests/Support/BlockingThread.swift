// Blocking calls for tests, off the cooperative pool, which has only as many threads as the machine has cores.

import Linux

/// Runs `body` on a thread of its own and waits for it without blocking the caller's.
public func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    let thread = try SerialThread(name: "test")
    defer { thread.stop() }
    return try await withCheckedThrowingContinuation { continuation in
        thread.run { continuation.resume(with: Swift.Result(catching: body)) }
    }
}
