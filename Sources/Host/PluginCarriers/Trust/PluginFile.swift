// A plugin's file, opened once and checked: what was checked is what runs (docs/plugin-abi.md §9).

import Linux

/// A file that may be loaded or executed with the daemon's rights.
public struct PluginFile: Sendable {
    /// How a file becomes a plugin.
    public enum Form: Sendable, Equatable {
        /// Loaded with dlopen, here or in the runner.
        case library
        /// Executed as it is. A script's interpreter reads it once more, through a descriptor.
        case program(script: Bool)
    }

    /// What tells a file from any other, and from itself after a change; stat(2).
    public struct Identity: Hashable, Sendable {
        public let device: UInt64
        public let inode: UInt64
        public let size: Int64
        public let changed: Int64
    }

    /// The file's name without ".so".
    public let name: String
    public let path: String
    public let form: Form
    public let identity: Identity
    let descriptor: SharedDescriptor

    /// Opens `name` in `directory`: NAME.so, or else the executable NAME.
    public init(named name: String, in directory: String) throws(PluginFault) {
        guard !name.isEmpty, !name.contains("/"), name != ".", name != "..", !name.utf8.contains(0) else { throw .badName(name) }
        do {
            try self.init(path: "\(directory)/\(name).so")
        } catch .unreadable(let error) where error.errno == ENOENT {
            do {
                try self.init(path: "\(directory)/\(name)")
            } catch .unreadable(let error) where error.errno == ENOENT {
                throw .notFound(name: name, directory: directory)
            }
        }
    }

    /// Opens the file at `path`; one whose name ends in ".so" is a library.
    public init(path: String) throws(PluginFault) { try self.init(path: path, isTrusted: true) }

    /// - Parameter isTrusted: Whether owners and modes matter; not for an author who tries their own plugin.
    init(path: String, isTrusted: Bool) throws(PluginFault) {
        // O_NONBLOCK: opening a FIFO must not wait for its other end.
        let descriptor = try opened(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        let status = try unreadable { () throws(SystemCallError) in try fileStatus(of: descriptor.raw, path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile(path: path) }
        let slash = path.lastIndex(of: "/")
        if isTrusted {
            try checkOwnership(status, path)
            try checkParents(of: slash.map { String(path[...$0]) } ?? ".")
        }
        let file = String(slash.map { path[path.index(after: $0)...] } ?? path[...])
        if file.hasSuffix(".so") {
            form = .library
            name = String(file.dropLast(3))
        } else {
            guard status.st_mode & S_IXUSR != 0 else { throw .notExecutable(path: path) }
            var start: [UInt8] = [0, 0]
            form = .program(script: pread(descriptor.raw, &start, 2, 0) == 2 && start == Array("#!".utf8))
            name = file
        }
        self.path = path
        identity = Identity(status)
        self.descriptor = SharedDescriptor(descriptor.release())
    }

    /// A file that the daemon checked and opened, and handed to this process.
    public init(inherited descriptor: Int32, name: String) throws(PluginFault) {
        try unreadable { () throws(SystemCallError) in
            try syscall("fcntl", name) { clinux_fcntl(descriptor, F_SETFD, Int(FD_CLOEXEC)) }
        }
        self.name = name
        path = name
        form = .library
        identity = Identity(try unreadable { () throws(SystemCallError) in try fileStatus(of: descriptor, name) })
        self.descriptor = SharedDescriptor(descriptor)
    }

    /// Where the open file can be opened again, by this process.
    var pathOfDescriptor: String { "/proc/self/fd/\(descriptor.raw)" }

    /// The file's bytes, in pieces of at most 64 KiB.
    public func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(PluginFault) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { buffer.deallocate() }
        var offset = 0
        while true {
            let count = try unreadable { () throws(SystemCallError) in
                try syscall("pread", path) { pread(descriptor.raw, buffer.baseAddress, buffer.count, offset) }
            }
            if count == 0 { return }
            body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += count
        }
    }
}

/// A descriptor that several values use; closed when the last goes.
final class SharedDescriptor: Sendable {
    let raw: Int32
    init(_ raw: Int32) { self.raw = raw }
    deinit { close(raw) }
}

extension PluginFile.Identity {
    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        changed = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
    }
}

/// The directory and all above it: whoever may write one could put another file in place between two starts.
/// A sticky directory such as /tmp is good enough further up: nobody may rename what belongs to another there.
private func checkParents(of directory: String) throws(PluginFault) {
    var current = try opened(directory, Int32(CLINUX_O_PATH) | O_DIRECTORY)
    var path = directory
    var below: PluginFile.Identity?
    // No path is deeper than PATH_MAX / 2 directories; path_resolution(7).
    for _ in 0..<2048 {
        let status = try unreadable { () throws(SystemCallError) in try fileStatus(of: current.raw, path) }
        let identity = PluginFile.Identity(status)
        if identity == below { return }
        if below == nil || status.st_mode & S_ISVTX == 0 {
            try checkOwnership(status, path)
        } else {
            try checkOwner(status, path)
        }
        below = identity
        // ".." of the opened directory, not of its name, which may hold symbolic links.
        path += path.hasSuffix("/") ? ".." : "/.."
        let above = clinux_openat(current.raw, "..", Int32(CLINUX_O_PATH) | O_DIRECTORY | O_CLOEXEC, 0)
        guard above >= 0 else { throw .unreadable(SystemCallError(call: "openat", errno: clinux_errno(), subject: path)) }
        current = Descriptor(owning: above)
    }
}

func checkOwnership(_ status: stat, _ path: String) throws(PluginFault) {
    try checkOwner(status, path)
    if status.st_mode & (S_IWGRP | S_IWOTH) != 0 { throw .writableByOthers(path: path, mode: UInt32(status.st_mode & 0o7777)) }
}

private func checkOwner(_ status: stat, _ path: String) throws(PluginFault) {
    if status.st_uid != 0 && status.st_uid != geteuid() { throw .wrongOwner(path: path, uid: status.st_uid) }
}

func fileStatus(of descriptor: Int32, _ path: String) throws(SystemCallError) -> stat {
    var status = stat()
    try syscall("fstat", path) { fstat(descriptor, &status) }
    return status
}

func opened(_ path: String, _ flags: Int32) throws(PluginFault) -> Descriptor {
    do { return try Descriptor(opening: path, flags: flags) } catch { throw .unreadable(error) }
}

@discardableResult
func unreadable<Value>(_ body: () throws(SystemCallError) -> Value) throws(PluginFault) -> Value {
    do { return try body() } catch { throw .unreadable(error) }
}
