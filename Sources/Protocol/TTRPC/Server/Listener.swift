// A listening socket on the loop, and its pause when the process is out of descriptors.

import Linux

/// A listening stream socket. It belongs to one server and is used on the loop's thread only.
final class Listener {
    private let descriptor: Descriptor
    private let loop: EventLoop
    private var token: UInt64?
    private var timer: UInt64?
    /// Resumed when the server lets go of it.
    var closed: CheckedContinuation<Void, Never>?

    init(owning descriptor: consuming Descriptor, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
    }

    deinit {
        if let timer { loop.cancel(timer: timer) }
        if let token { loop.remove(descriptor.raw, token: token) }
    }

    func attach(_ ready: @escaping @Sendable () -> Void) throws(SystemCallError) {
        // A connection that goes away between the event and accept(2) must not block the thread.
        let flags = try syscall("fcntl") { clinux_fcntl(descriptor.raw, F_GETFL, 0) }
        try syscall("fcntl") { clinux_fcntl(descriptor.raw, F_SETFL, Int(flags) | Int(O_NONBLOCK)) }
        token = try loop.add(descriptor.raw, events: EPOLLIN.rawValue) { _ in ready() }
    }

    /// - Returns: The next connection, which the caller owns; nil if none is waiting.
    func accept() throws(SystemCallError) -> Int32? {
        do {
            return try syscall("accept4") { clinux_accept4(descriptor.raw, nil, nil, Int32(SOCK_CLOEXEC.rawValue)) }
        } catch {
            // ECONNABORTED: it has gone already; accept(2).
            if error.errno == EAGAIN || error.errno == ECONNABORTED { return nil }
            throw error
        }
    }

    /// Accepts nothing until `resume`, which `fire` is to call after 100 ms: out of descriptors or memory, the event
    /// would come back at once, for ever.
    func pause(_ fire: @escaping @Sendable () -> Void) {
        guard let token else { return }
        loop.change(descriptor.raw, token: token, events: 0)
        timer = loop.schedule(at: clinux_monotonic() + 100_000_000, fire)
    }

    func resume() {
        if let token { loop.change(descriptor.raw, token: token, events: EPOLLIN.rawValue) }
    }
}
