// One instance behind the C interface: starts a task for each call and carries what it sends to the host.

import CSallyportPlugin
import Linux
import Synchronization
import TTRPC

/// What `create` hands to the host as `self`.
final class PluginInstance: Sendable {
    private let host: HostTable
    private let thread: SerialThread
    private let router: RPCRouter
    private let calls = Mutex<[UInt64: Call]>([:])

    init<P: Plugin>(_ type: P.Type, host: HostTable, thread: SerialThread) {
        self.host = host
        self.thread = thread
        router = RPCRouter(serving: P(host: PluginHostHandle(thread: thread, log: host.log)))
    }

    /// - Returns: A code of plugin.h for the call, `SALLYPORT_LATER` once its task has started.
    func start(_ call: sallyport_call_v1, reply: UnsafeMutablePointer<sallyport_reply_v1>) -> Int32 {
        let method: RPCMethod
        do throws(RPCError) {
            method = try router.find(service: String(cString: call.service), method: String(cString: call.method))
        } catch {
            host.reply(error.message, to: reply)
            return error.code.rawValue
        }
        let id = call.id
        let request = [UInt8](UnsafeBufferPointer(start: call.request, count: call.request == nil ? 0 : call.request_size))
        let context = RPCContext(deadline: call.deadline == 0 ? nil : call.deadline)
        // Under the lock, so that a task that ends at once finds itself listed.
        calls.withLock { calls in
            let sender = CallSender(id: id, host: host)
            let task = Task(executorPreference: thread) { [self] in
                await run(method, request, context, sender)
                _ = self.calls.withLock { $0.removeValue(forKey: id) }
            }
            calls[id] = Call(task: task, sender: sender)
        }
        return Int32(SALLYPORT_LATER)
    }

    private func run(_ method: RPCMethod, _ request: [UInt8], _ context: RPCContext, _ sender: CallSender) async {
        do {
            switch method {
            case .unary(let body): try await sender.send(body(request, context))
            case .serverStream(let body): try await body(request, context, sender)
            case .clientStream, .bidirectional: throw RPCError(.unimplemented, "no method of a plugin streams towards it")
            }
            host.close(sender.id, Int32(SALLYPORT_OK), "")
        } catch let error as RPCError {
            host.close(sender.id, error.code.rawValue, error.message)
        } catch is CancellationError {
            host.close(sender.id, Int32(SALLYPORT_CANCELLED), "cancelled")
        } catch {
            host.close(sender.id, Int32(SALLYPORT_UNKNOWN), "\(error)")
        }
    }

    func cancel(_ id: UInt64) {
        guard let call = calls.withLock({ $0[id] }) else { return }
        call.task.cancel()
        call.sender.wake()
    }

    func writable(_ id: UInt64) { calls.withLock { $0[id] }?.sender.wake() }

    /// Ends what is still open, without waiting for it: the host takes no more from this instance.
    func destroy() {
        for call in calls.withLock({ Array($0.values) }) {
            call.task.cancel()
            call.sender.wake()
        }
    }

    private struct Call {
        let task: Task<Void, Never>
        let sender: CallSender
    }
}

/// Sends a call's messages; waits, without holding the thread, while the host's queue is full.
final class CallSender: RPCSender {
    let id: UInt64
    private let host: HostTable
    private let state = Mutex(State())

    private struct State {
        /// `wake` came before anybody waited.
        var woken = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    init(id: UInt64, host: HostTable) {
        self.id = id
        self.host = host
    }

    func send(_ message: [UInt8]) async throws {
        while true {
            try Task.checkCancellation()
            switch host.send(id, message) {
            case Int32(SALLYPORT_OK): return
            case Int32(SALLYPORT_AGAIN): await room()
            case Int32(SALLYPORT_RESOURCE_EXHAUSTED):
                throw RPCError(.resourceExhausted, "a message of \(message.count) bytes is over the limit of \(SALLYPORT_MESSAGE_MAX): send it in parts")
            default: throw RPCError(.cancelled, "nobody reads this call any longer")
            }
        }
    }

    /// There is room again, or the call was cancelled.
    func wake() {
        let waiters = state.withLock { state in
            state.woken = state.waiters.isEmpty
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func room() async {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state in
                if !state.woken { state.waiters.append(continuation) }
                defer { state.woken = false }
                return state.woken
            }
            if now { continuation.resume() }
        }
    }
}
