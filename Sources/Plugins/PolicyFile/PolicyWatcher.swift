// The thread that keeps the state true to the directory, and how it is told what to do.

import Linux
import PluginKit
import Synchronization

/// Watches a directory until it is stopped.
package final class PolicyWatcher: Sendable {
    struct Orders {
        var directory: String
        var isStopped = false
    }

    private let current: Mutex<Orders>
    /// Becomes readable when there are orders; eventfd(2).
    private let bell: Descriptor

    /// Starts the thread. The first state comes when the directory has been read, or could not be.
    package init(directory: String, states: Latest<PolicyState>, log: @escaping @Sendable (PluginLogLevel, String) -> Void) throws {
        current = Mutex(Orders(directory: directory))
        bell = Descriptor(owning: try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) })
        // Made here, so that a lack of inotify instances is told to whoever configures.
        let watches = Mutex<DirectoryWatches?>(try DirectoryWatches())
        let thread = try SerialThread(name: "policy-file")
        thread.run { [self] in
            guard let watches = watches.withLock({ $0.take() }) else { return }
            var loop = WatchLoop(watches: watches, states: states, log: log)
            while let orders = orders(), loop.turn(orders, bell: bell.raw) {}
        }
        thread.stop()
    }

    package func use(directory: String) {
        current.withLock { $0.directory = directory }
        _ = eventfd_write(bell.raw, 1)
    }

    package func stop() {
        current.withLock { $0.isStopped = true }
        _ = eventfd_write(bell.raw, 1)
    }

    /// nil once stopped.
    private func orders() -> Orders? { current.withLock { $0.isStopped ? nil : $0 } }
}
