// Follows a plugin's process: what it writes to its log, and its end. A thread for each process.

import Linux
import Synchronization

/// The log pipe and the end of one process.
final class PluginOutput: Sendable {
    private enum State: Sendable {
        case running([CheckedContinuation<PluginExit, Never>])
        case ended(PluginExit)
    }

    private let pid: Int32
    private let log: LogGate
    private let state = Mutex(State.running([]))

    init(pid: Int32, log: LogGate) {
        self.pid = pid
        self.log = log
    }

    func exit() async -> PluginExit {
        await withCheckedContinuation { continuation in
            let ended: PluginExit? = state.withLock { state in
                switch state {
                case .ended(let exit): return exit
                case .running(let waiters):
                    state = .running(waiters + [continuation])
                    return nil
                }
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    /// The process leads a session and so a group of its own: what it started ends with it.
    func kill() {
        state.withLock { state in
            // Not once it was waited for: the number may be another process's by then.
            if case .running = state { _ = Linux.kill(-pid, SIGKILL) }
        }
    }

    /// Starts the thread.
    func follow(lines: consuming Descriptor, process: consuming Descriptor, name: String) throws(SystemCallError) {
        let (lines, process) = (SharedDescriptor(lines.release()), SharedDescriptor(process.release()))
        try RunningThread(name: name) { self.run(lines, process) }.detach()
    }

    private func run(_ lines: SharedDescriptor, _ process: SharedDescriptor) {
        var text = LogLines()
        var sources = [
            pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0), pollfd(fd: lines.raw, events: Int16(POLLIN), revents: 0),
        ]
        while sources[0].revents == 0 {
            if poll(&sources, 2, -1) < 0 { continue }
            if sources[1].revents != 0 && !read(lines.raw, &text) { sources[1].fd = -1 }
        }
        // The pipe may live on in a process that the plugin left behind, so not to its end: twice what a pipe holds (pipe(7)).
        for _ in 0..<2 where sources[1].fd >= 0 && !read(lines.raw, &text) { break }
        text.end { log.log($0, $1) }
        finish()
    }

    /// Reads once. A plugin that floods its log is read at 640 KiB a second, so that it waits and not the daemon.
    /// - Returns: Whether there may be more.
    private func read(_ descriptor: Int32, _ text: inout LogLines) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 1) { buffer in
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0 else { return count < 0 && [EAGAIN, EINTR].contains(clinux_errno()) }
            var passed = true
            text.take(buffer.prefix(count)) { passed = log.log($0, $1) }
            if !passed { usleep(100_000) }
            return true
        }
    }

    private func finish() {
        var status: Int32 = 0
        let waiters: ([CheckedContinuation<PluginExit, Never>], PluginExit) = state.withLock { state in
            // Under the lock, so that `kill` never sends to a number that is free again.
            while waitpid(pid, &status, 0) < 0 && clinux_errno() == EINTR {}
            let code = clinux_wait_status_code(status)
            let exit = clinux_wait_status_exited(status) != 0 ? PluginExit.exited(code) : .killed(signal: code)
            defer { state = .ended(exit) }
            if case .running(let waiters) = state { return (waiters, exit) }
            return ([], exit)
        }
        for waiter in waiters.0 { waiter.resume(returning: waiters.1) }
    }
}
