// A listening Unix socket and its file: in a folder nobody else can write, one process at a time.

import Linux

/// Why a socket cannot be made.
public struct SocketFileError: Error, Equatable, CustomStringConvertible {
    public enum Problem: Error, Equatable {
        case call(SystemCallError)
        case inUse
        case notASocket
        case unsafeFolder(String)
        case noSuchGroup(String)
    }

    /// Where: a path, or an address for TCP.
    public let path: String
    public let problem: Problem

    public init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    public var description: String {
        switch problem {
        case .call(let error): "cannot listen on \(path): \(error)"
        case .inUse: "another sallyportd listens on \(path); stop it, or give this one another path"
        case .notASocket: "cannot listen on \(path), which is no socket; remove it, or set another path"
        case .unsafeFolder(let folder):
            "cannot listen on \(path): \(folder) belongs to another user or others may write to it; "
                + "use a folder of the daemon's user, mode 0750"
        case .noSuchGroup(let name): "cannot listen on \(path) for the group \(name): there is none; create it, or set another"
        }
    }
}

/// A listening socket, and the lock beside it that keeps a second daemon away while it is held.
struct SocketFile: ~Copyable {
    var listener: Descriptor?
    private let lock: Descriptor
    private let path: String

    /// Makes the socket, in the place of one that a dead daemon left.
    ///
    /// - Parameters:
    ///   - path: Where; its folder is made if it is missing.
    ///   - group: Its members may connect; nil for nobody but the daemon's user (and root).
    init(path: String, group: UInt32?) throws(SocketFileError.Problem) {
        try makeFolder(of: path, group: group)
        let lock = try takeLock("\(path).lock")
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket }
            try attempt("unlink", path) { unlink(path) }
        }
        do throws(SystemCallError) {
            // bind(2) makes the file with this mode, so that nobody connects before the group is set.
            listener = try Descriptor(listeningAt: path, mode: 0o600)
        } catch {
            throw .call(error)
        }
        if let group {
            try attempt("chown", path) { lchown(path, uid_t.max, group) }
            try attempt("chmod", path) { chmod(path, 0o660) }
        }
        self.lock = lock
        self.path = path
    }

    /// Removes the file; the lock, still held, says that it is ours.
    deinit { unlink(path) }
}

/// The number of a group given by name or number.
func groupNumber(_ name: String) throws(SocketFileError.Problem) -> UInt32 {
    if let number = UInt32(name) { return number }
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    // getgrnam_r(3) asks for more room where a group has many members.
    for size in [4 << 10, 256 << 10, 4 << 20] {
        var room = [CChar](repeating: 0, count: size)
        let code = getgrnam_r(name, &entry, &room, room.count, &found)
        if code == 0, found != nil { return entry.gr_gid }
        if code != ERANGE { break }
    }
    throw .noSuchGroup(name)
}

private func makeFolder(of path: String, group: UInt32?) throws(SocketFileError.Problem) {
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    if mkdir(folder, 0o750) == 0 {
        if let group { try attempt("chown", folder) { chown(folder, uid_t.max, group) } }
    } else if clinux_errno() != EEXIST {
        throw .call(SystemCallError(call: "mkdir", errno: clinux_errno(), subject: folder))
    }
    var status = stat()
    try attempt("stat", folder) { stat(folder, &status) }
    guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
        throw .unsafeFolder(folder)
    }
}

private func takeLock(_ path: String) throws(SocketFileError.Problem) -> Descriptor {
    let lock = Descriptor(owning: try attempt("open", path) {
        clinux_open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
    })
    if flock(lock.raw, LOCK_EX | LOCK_NB) != 0 {
        guard clinux_errno() == EWOULDBLOCK else {
            throw .call(SystemCallError(call: "flock", errno: clinux_errno(), subject: path))
        }
        throw .inUse
    }
    return lock
}

@discardableResult
private func attempt(_ call: StaticString, _ subject: String, _ body: () -> Int32) throws(SocketFileError.Problem) -> Int32 {
    do throws(SystemCallError) {
        return try syscall(call, subject, body)
    } catch {
        throw .call(error)
    }
}
