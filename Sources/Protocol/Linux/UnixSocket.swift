// Stream sockets with a path in the file system; unix(7).

extension Descriptor {
    /// Connects to the Unix stream socket at `path`; close-on-exec. Does not wait for a full backlog (`EAGAIN`).
    public init(connectingTo path: String) throws(SystemCallError) {
        let socket = try Descriptor(unixSocketOfType: SOCK_NONBLOCK)
        try withUnixAddress(path) { address, length throws(SystemCallError) in
            _ = try syscall("connect", path) { connect(socket.raw, address, length) }
        }
        self = socket
    }

    /// Listens on a new Unix stream socket at `path`; close-on-exec, non-blocking. There must be nothing at `path`.
    /// - Parameter mode: Of the socket's file, cut by the umask. It is never wider, not for a moment: on Linux bind(2)
    ///   takes it from the socket (net/unix/af_unix.c, `unix_bind_bsd`).
    public init(listeningAt path: String, mode: mode_t = 0o777, backlog: Int32 = 128) throws(SystemCallError) {
        let socket = try Descriptor(unixSocketOfType: SOCK_NONBLOCK)
        try syscall("fchmod", path) { fchmod(socket.raw, mode) }
        try withUnixAddress(path) { address, length throws(SystemCallError) in
            _ = try syscall("bind", path) { bind(socket.raw, address, length) }
        }
        try syscall("listen", path) { listen(socket.raw, backlog) }
        self = socket
    }

    private init(unixSocketOfType flags: __socket_type) throws(SystemCallError) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | flags.rawValue)
        self.init(owning: try syscall("socket") { socket(AF_UNIX, type, 0) })
    }
}

/// Two Unix stream sockets connected to each other, close-on-exec; socketpair(2). The caller owns both.
public func unixSocketPair() throws(SystemCallError) -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    try syscall("socketpair") { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) }
    return (pair[0], pair[1])
}

/// - Throws: `ENAMETOOLONG` if `path` does not fit with its closing zero into the 108 bytes of `sun_path`.
private func withUnixAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemCallError) -> Void
) throws(SystemCallError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path), !bytes.contains(0) else {
        throw SystemCallError(call: "socket address", errno: ENAMETOOLONG, subject: path)
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    try withUnsafePointer(to: &address) { pointer throws(SystemCallError) in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw throws(SystemCallError) in
            try body(raw, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
