// Blocking calls for tests, off the cooperative pool, which may have as few threads as the machine has cores.

import Linux

/// Runs `body` on a thread of its own and waits for it without blocking the caller's.
public func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let job = Unmanaged.passRetained(Job { continuation.resume(with: Swift.Result(catching: body)) })
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, { argument in
            // `argument` is the retained job passed below, so it is there.
            if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        }, job.toOpaque())
        if failure == 0 {
            pthread_detach(thread)
        } else {
            job.release()
            continuation.resume(throwing: SystemCallError(call: "pthread_create", errno: failure))
        }
    }
}

private final class Job {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}
