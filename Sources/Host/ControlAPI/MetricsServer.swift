// Prometheus metrics over HTTP, on a Unix socket or a TCP address.

import Linux
import Logging
import Prometheus
import Synchronization

public final class MetricsServer: Sendable {
    /// Removed at the end; nil for TCP.
    private let file: Mutex<SocketFile?>
    private let inbox: MetricsInbox
    private let thread: Mutex<RunningThread?>

    /// Starts to serve.
    ///
    /// - Parameters:
    ///   - group: Name or number of the group whose members may connect to a Unix socket; nil for none.
    ///   - snapshot: Asked at each scrape.
    public init(
        address: MetricsAddress, group: String? = nil, logger: Logger, snapshot: @escaping @Sendable () async -> MetricsSnapshot
    ) throws(SocketFileError) {
        do throws(SocketFileError.Problem) {
            let inbox = try MetricsInbox()
            self.inbox = inbox
            let raw: Int32
            switch address {
            case .unix(let path):
                let group = try group.map { name throws(SocketFileError.Problem) in try groupNumber(name) }
                var made = try SocketFile(path: path, group: group)
                // Never nil: it was made with one.
                raw = made.listener.take()!.release()
                file = Mutex(consume made)
            case .tcp(let address):
                raw = try listen(on: address).release()
                file = Mutex(nil)
            }
            do throws(SystemCallError) {
                thread = Mutex(
                    try RunningThread(name: "metrics") {
                        var loop = MetricsLoop(owning: raw, inbox: inbox, logger: logger, snapshot: snapshot)
                        loop.run()
                    })
            } catch {
                close(raw)
                throw .call(error)
            }
        } catch {
            throw SocketFileError(path: "\(address)", problem: error)
        }
    }

    /// Closes the socket and all connections. Waits for the thread, which waits for nobody.
    public func stop() {
        inbox.stop()
        thread.withLock { $0.take() }?.join()
        file.withLock { $0 = nil }
    }
}

/// What reaches the thread from outside: rendered metrics, and the end.
final class MetricsInbox: Sendable {
    private struct State {
        var texts: [(connection: UInt64, text: String)] = []
        var isStopped = false
    }

    private let state = Mutex(State())
    /// An eventfd(2) that is readable while there is something to take.
    let wake: Descriptor

    init() throws(SocketFileError.Problem) {
        do throws(SystemCallError) {
            wake = Descriptor(owning: try syscall("eventfd") { eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) })
        } catch {
            throw .call(error)
        }
    }

    func add(_ text: String, for connection: UInt64) {
        state.withLock { $0.texts.append((connection, text)) }
        eventfd_write(wake.raw, 1)
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        eventfd_write(wake.raw, 1)
    }

    func take() -> (texts: [(connection: UInt64, text: String)], isStopped: Bool) {
        var count: eventfd_t = 0
        eventfd_read(wake.raw, &count)
        return state.withLock { state in
            let texts = state.texts
            state.texts = []
            return (texts, state.isStopped)
        }
    }
}

private func listen(on address: SocketAddress) throws(SocketFileError.Problem) -> Descriptor {
    do throws(SystemCallError) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let listener = Descriptor(owning: try syscall("socket") { socket(address.address.isV4 ? AF_INET : AF_INET6, type, 0) })
        var yes: Int32 = 1
        try syscall("setsockopt") { setsockopt(listener.raw, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size)) }
        var (raw, length) = address.raw
        try syscall("bind", "\(address)") {
            withUnsafePointer(to: &raw) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener.raw, $0, length) }
            }
        }
        try syscall("listen", "\(address)") { Glibc.listen(listener.raw, 16) }
        return listener
    } catch {
        throw .call(error)
    }
}
