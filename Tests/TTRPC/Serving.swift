// A server over a socket pair, and the other end of it.

import Linux
import Support
import Synchronization
import TTRPC

/// Serves `router` to one end of a new socket pair.
/// - Returns: The task that serves, and the other end, which the caller owns.
func serve(
    _ router: RPCRouter, limits: TTRPCLimits = TTRPCLimits()
) throws -> (server: TTRPCServer, ending: Task<TTRPCEnding, Never>, far: Int32) {
    let (near, far) = try unixSocketPair()
    let server = try TTRPCServer(router: router, limits: limits)
    let ending = Task { await server.serve(connection: Descriptor(owning: near)) }
    return (server, ending, far)
}

/// A client of a server of `router`, over a new socket pair.
func connect(_ router: RPCRouter, limits: TTRPCLimits = TTRPCLimits()) throws -> TTRPCClient {
    try TTRPCClient(connection: Descriptor(owning: serve(router, limits: limits).far), limits: limits)
}

/// A condition that one side of a test sets and the other waits for.
final class Signal: Sendable {
    private let state = Mutex<(isSet: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    func set() {
        let waiters = state.withLock { state in
            defer { state = (true, []) }
            return state.waiters
        }
        waiters.forEach { $0.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isSet = state.withLock { state in
                if !state.isSet { state.waiters.append(continuation) }
                return state.isSet
            }
            if isSet { continuation.resume() }
        }
    }
}

extension Signal {
    /// Waits until the calling task is cancelled.
    static func untilCancelled() async {
        let cancelled = Signal()
        await withTaskCancellationHandler { await cancelled.wait() } onCancel: { cancelled.set() }
    }
}

/// Runs `body` and returns the `RPCError` it throws.
func rpcError(_ body: () async throws -> Void) async -> RPCError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RPCError
    }
}
