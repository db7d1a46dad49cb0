// One call of a plugin in this process: between the plugin's threads, which send, and the task that reads.

import CSallyportPlugin
import Linux
import Synchronization
import TTRPC

/// A call that is open, and what it has sent that is unread.
final class InProcessCall: Sendable {
    /// Unread messages and bytes of a call beyond which its sender waits (docs/plugin-abi.md §5).
    static let longestQueue = 64
    static let queuedBytes = Int(SALLYPORT_MESSAGE_MAX)

    private struct State: Sendable {
        var messages: [[UInt8]] = []
        var bytes = 0
        var end: End?
        var reader: CheckedContinuation<Void, Never>?
        var blocked: [Semaphore] = []
        var wantsWritable = false
        var wasBegun = false

        var isFull: Bool { messages.count >= InProcessCall.longestQueue || bytes >= InProcessCall.queuedBytes }
    }

    /// nil is a good end; what is queued is still read. After a failure of the host's side it is not.
    private enum End: Sendable {
        case closed(RPCError?)
        case abandoned(RPCError)
    }

    private let state = Mutex(State())
    /// Tells the plugin that there is room again.
    private let writable: @Sendable () -> Void

    init(writable: @escaping @Sendable () -> Void) { self.writable = writable }

    // MARK: The plugin's side

    /// The plugin's thread comes to this call.
    /// - Returns: Whether anybody still waits for it.
    func begin() -> Bool {
        state.withLock { state in
            state.wasBegun = state.end == nil
            return state.wasBegun
        }
    }

    var wasBegun: Bool { state.withLock { $0.wasBegun } }

    /// - Returns: A code of plugin.h for `stream_send`.
    func take(_ message: [UInt8], waits: Bool) -> Int32 {
        while true {
            let room = Semaphore()
            let (answer, reader): (Int32?, CheckedContinuation<Void, Never>?) = state.withLock { state in
                if state.end != nil { return (SALLYPORT_CANCELLED, nil) }
                if state.isFull {
                    if waits { state.blocked.append(room) } else { state.wantsWritable = true }
                    return (waits ? nil : SALLYPORT_AGAIN, nil)
                }
                state.messages.append(message)
                state.bytes += message.count
                defer { state.reader = nil }
                return (SALLYPORT_OK, state.reader)
            }
            reader?.resume()
            if let answer { return answer }
            room.wait()
        }
    }

    func oversized(_ size: Int) {
        end(.abandoned(RPCError(.resourceExhausted, "the plugin sent a message of \(size) bytes; the limit is \(SALLYPORT_MESSAGE_MAX)")))
    }

    func close(_ error: RPCError?) { end(.closed(error)) }

    // MARK: The host's side

    /// Nobody reads the call any longer. What is queued is dropped.
    /// - Returns: Whether it was still open.
    @discardableResult
    func abandon(_ error: RPCError) -> Bool { end(.abandoned(error)) }

    /// The next message; nil after the last. One reader at a time.
    func next() async throws -> [UInt8]? {
        while true {
            enum Step { case message([UInt8], tellsWritable: Bool, blocked: [Semaphore]), ended(RPCError?), waits }
            let step: Step = state.withLock { state in
                if case .abandoned(let error) = state.end { return .ended(error) }
                if !state.messages.isEmpty {
                    let message = state.messages.removeFirst()
                    state.bytes -= message.count
                    defer { (state.wantsWritable, state.blocked) = (false, []) }
                    return .message(message, tellsWritable: state.wantsWritable, blocked: state.blocked)
                }
                if case .closed(let error) = state.end { return .ended(error) }
                return .waits
            }
            switch step {
            case .message(let message, let tellsWritable, let blocked):
                for sender in blocked { sender.post() }
                if tellsWritable { writable() }
                return message
            case .ended(let error):
                if let error { throw error }
                return nil
            case .waits: await wait()
            }
        }
    }

    /// Waits for a message or the end.
    private func wait() async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if !state.messages.isEmpty || state.end != nil { return true }
                state.reader = continuation
                return false
            }
            if ready { continuation.resume() }
        }
    }

    @discardableResult
    private func end(_ end: End) -> Bool {
        let woken: (CheckedContinuation<Void, Never>?, [Semaphore])? = state.withLock { state in
            guard state.end == nil else { return nil }
            state.end = end
            if case .abandoned = end { (state.messages, state.bytes) = ([], 0) }
            defer { (state.reader, state.blocked) = (nil, []) }
            return (state.reader, state.blocked)
        }
        woken?.0?.resume()
        for sender in woken?.1 ?? [] { sender.post() }
        return woken != nil
    }
}
