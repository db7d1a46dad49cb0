// How the control plane reaches a worker: messages under a lock that the worker takes only when woken.

import Linux
import Policy
import Synchronization

/// A change for a worker.
enum WorkerMessage: Sendable {
    case publish(Generation)
    /// The same policy, with other names of some addresses.
    case rename([IPAddress: [String]], changed: Set<IPAddress>)
    /// Addresses that have no name that matters, or whose names could not be found out; for how long that holds.
    case nameless([IPAddress: (time: Duration, isCertain: Bool)])
    case namesDue([IPAddress])
    case add(UnitKey, number: UInt32, UnitSockets, namespace: Int32?)
    case remove(UnitKey)
    /// Accept no more, and end when the last flow has, or at the drain deadline.
    case drain
    case stop
}

/// Messages for one worker, and the eventfd(2) that wakes it.
final class Mailbox: Sendable {
    let event: Int32
    private let messages = Mutex<[WorkerMessage]>([])

    init() throws(SystemCallError) {
        event = try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) }
    }

    deinit { close(event) }

    func send(_ message: WorkerMessage) {
        messages.withLock { $0.append(message) }
        var one: UInt64 = 1
        // The counter cannot overflow: the worker empties it whenever it wakes.
        _ = write(event, &one, 8)
    }

    func take() -> [WorkerMessage] {
        var count: UInt64 = 0
        _ = read(event, &count, 8)
        return messages.withLock { messages in
            defer { messages.removeAll() }
            return messages
        }
    }
}
