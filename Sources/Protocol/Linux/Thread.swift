// A thread that runs one piece of code to its end.

/// A thread that was started and must be joined or detached, once.
public struct RunningThread: Sendable {
    private let raw: pthread_t

    /// Starts a thread that takes no signals, so that they reach the thread that waits for them
    /// (a blocked SIGXFSZ or SIGPIPE becomes the failing call's `errno`).
    ///
    /// - Parameter name: Shown by ps(1) and debuggers; the kernel keeps 15 bytes (prctl(2), PR_SET_NAME).
    /// - Throws: `pthread_create` with EAGAIN when the limit of threads is reached.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
        var thread = pthread_t()
        var blocked = sigset_t()
        var before = sigset_t()
        sigfillset(&blocked)
        // What a defect raises must still reach the crash handler.
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT] { sigdelset(&blocked, fault) }
        pthread_sigmask(SIG_SETMASK, &blocked, &before)
        let start = Unmanaged.passRetained(Start(name: String(decoding: name.utf8.prefix(15), as: UTF8.self), body: body))
        let code = pthread_create(
            &thread, nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()  // never nil: the box passed below
                pthread_setname_np(pthread_self(), start.name)
                start.body()
                return nil
            }, start.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard code == 0 else {
            start.release()
            throw SystemCallError(call: "pthread_create", errno: code, subject: name)
        }
        raw = thread
    }

    /// Waits until the thread's code has returned. Once only.
    public func join() { pthread_join(raw, nil) }

    /// Lets the thread end by itself. In place of `join`.
    public func detach() { pthread_detach(raw) }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
