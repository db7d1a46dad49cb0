// The caller's end of a call to a plugin in this process.

import Linux
import TTRPC

/// Reads a call's messages; gives the call up when its time is over or nobody holds this any longer.
final class InProcessStream: RPCStream {
    private let call: InProcessCall
    private let giveUp: @Sendable (RPCError) -> Void
    private let timer: Task<Void, any Error>?

    init(_ call: InProcessCall, timeout: Duration?, giveUp: @escaping @Sendable (RPCError) -> Void) {
        self.call = call
        self.giveUp = giveUp
        timer = timeout.map { timeout in
            Task {
                try await Task.sleep(for: timeout)
                giveUp(RPCError(.deadlineExceeded, "no answer within \(timeout)"))
            }
        }
    }

    deinit { cancel("nobody reads it") }

    func next() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try await call.next()
        } onCancel: {
            cancel("the task that read it was cancelled")
        }
    }

    func cancel(_ reason: String) {
        timer?.cancel()
        giveUp(RPCError(.cancelled, reason))
    }

    func cancel() async { cancel("the stream was cancelled") }

    func closeSend() async throws {}

    func send(_ message: [UInt8]) async throws { throw RPCError(.failedPrecondition, "the one request was sent with open") }
}
