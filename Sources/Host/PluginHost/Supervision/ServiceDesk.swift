// Where the host leaves changes of services, and a plugin's task takes them up.

import SallyportProtocol
import Synchronization

/// A book between those who write changes into it and the task that tells a plugin of them.
final class ServiceDesk<Update: ServicesUpdate>: Sendable {
    private let state = Mutex(State())

    private struct State {
        var book = ServiceBook<Update>()
        /// Wakes the task that tells; nil while the plugin does not run.
        var wake: AsyncStream<Void>.Continuation?
    }

    func apply(upserts: [Update.Service], removes: [Sallyport_Policy_V1_ObjectKey], replaceAll: Bool) {
        state.withLock { state in
            state.book.apply(upserts: upserts, removes: removes, replaceAll: replaceAll)
            state.wake?.yield()
        }
    }

    func knows(_ service: Sallyport_Policy_V1_ObjectKey) -> Bool { state.withLock { $0.book.services[service] != nil } }

    /// A plugin begins to listen.
    /// - Returns: One element now and after each change, for its task.
    func open() -> AsyncStream<Void> {
        let (changes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { $0.wake = wake }
        startOver()
        return changes
    }

    /// Everything is to be told again.
    func startOver() {
        state.withLock { state in
            state.book.startOver()
            state.wake?.yield()
        }
    }

    func take() -> [Update] { state.withLock { $0.book.take() } }

    /// The plugin has ended.
    func close() { state.withLock { $0.wake = nil } }
}
