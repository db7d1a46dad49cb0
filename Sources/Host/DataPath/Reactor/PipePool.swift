// Pipes for splice(2), lent to connections while bytes are in them.

import Linux

/// Empty pipes of one worker, ready for use.
struct PipePool: ~Copyable {
    /// A pipe of 1 MiB, the most an unprivileged process may ask for (pipe-max-size, pipe(7)).
    static let size = 1 << 20
    private static let keep = 64
    private var idle: [(read: Int32, write: Int32)] = []

    deinit { for pipe in idle { close(pipe.read); close(pipe.write) } }

    /// A pipe; nil where none can be made, and the caller copies instead.
    mutating func take() -> SplicePipe? {
        if let pipe = idle.popLast() { return SplicePipe(read: pipe.read, write: pipe.write) }
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { return nil }
        // Refused past the user's quota of pipe pages; the default of 64 KiB works too.
        _ = clinux_fcntl(ends[1], Int32(CLINUX_F_SETPIPE_SZ), PipePool.size)
        return SplicePipe(read: ends[0], write: ends[1])
    }

    /// Takes a pipe back; one with bytes inside is closed.
    mutating func give(back pipe: SplicePipe) {
        if pipe.count == 0 && idle.count < PipePool.keep {
            idle.append((pipe.read, pipe.write))
        } else {
            close(pipe.read)
            close(pipe.write)
        }
    }
}
