// A file descriptor with one owner, closed when the owner goes.

/// A file descriptor that is closed when this value goes out of use.
public struct Descriptor: ~Copyable, Sendable {
    public let raw: Int32

    /// Takes ownership of `raw`.
    public init(owning raw: Int32) { self.raw = raw }

    /// Opens `path`, close-on-exec.
    public init(opening path: String, flags: Int32, mode: mode_t = 0) throws(SystemCallError) {
        raw = try syscall("open", path) { clinux_open(path, flags | O_CLOEXEC, mode) }
    }

    /// Gives the descriptor away; the caller closes it.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    deinit { close(raw) }
}
