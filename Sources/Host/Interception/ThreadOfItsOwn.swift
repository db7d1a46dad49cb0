// A thread for one piece of work that must not leave its mark on any other.

import Linux
import Synchronization

/// Runs `body` on a new thread, waits for its end and gives what it returned or threw.
func onThreadOfItsOwn<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let work = Work(body)
    var thread = pthread_t()
    let failure = pthread_create(&thread, nil, runWork, Unmanaged.passRetained(work as AnyWork).toOpaque())
    guard failure == 0 else {
        // The thread that would have released it was never made.
        Unmanaged.passUnretained(work as AnyWork).release()
        throw InterceptionError.system(SystemCallError(call: "pthread_create", errno: failure))
    }
    pthread_join(thread, nil)
    return try work.outcome()
}

private class AnyWork {
    func run() {}
}

private final class Work<Value: Sendable>: AnyWork {
    private let body: @Sendable () throws -> Value
    private var result: Result<Value, any Error> = .failure(SystemCallError(call: "pthread_join", errno: ESRCH))

    init(_ body: @escaping @Sendable () throws -> Value) { self.body = body }

    override func run() { result = Result { try body() } }

    /// What `run` left. Only after the thread has been joined, which orders the two.
    func outcome() throws -> Value { try result.get() }
}

private func runWork(_ work: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let work { Unmanaged<AnyWork>.fromOpaque(work).takeRetainedValue().run() }
    return nil
}
