// A network namespace held open, and the one way to do something inside it.

import CNetfilter
import Linux

/// A network namespace (network_namespaces(7)), kept alive by an open descriptor.
public final class NetworkNamespace: Sendable {
    /// The path it was opened by, for messages.
    public let name: String
    /// Its inode in nsfs. Two names with the same inode are the same namespace.
    public let inode: UInt64
    private let descriptor: Descriptor

    /// Opens the namespace that `path` names: /proc/PID/ns/net, or a file made by `ip netns add`.
    public init(path: String) throws(InterceptionError) {
        let opened: Descriptor
        do {
            // O_NONBLOCK: a path from a policy may be a FIFO, which would hold the daemon up.
            opened = try Descriptor(opening: path, flags: O_RDONLY | O_NONBLOCK)
        } catch where error.errno == ENOENT || error.errno == ESRCH || error.errno == ENOTDIR {
            throw .namespaceMissing(path)
        } catch where error.errno == EACCES || error.errno == EPERM {
            throw .missingCapability("CAP_SYS_PTRACE", doing: "open network namespace \(path)")
        } catch {
            throw .system(error)
        }
        guard cnetfilter_is_network_namespace(opened.raw) == 1 else { throw .notANetworkNamespace(path) }
        var facts = stat()
        guard fstat(opened.raw, &facts) == 0 else { throw .system(SystemCallError(call: "fstat", errno: errno, subject: path)) }
        name = path
        inode = UInt64(facts.st_ino)
        descriptor = opened
    }

    /// Opens the namespace that process `pid` is in.
    public convenience init(pid: Int32) throws(InterceptionError) {
        try self.init(path: "/proc/\(pid)/ns/net")
    }

    /// The namespace of the enforcer itself.
    public static func own() throws(InterceptionError) -> NetworkNamespace {
        try NetworkNamespace(path: "/proc/self/ns/net")
    }

    /// A descriptor of the namespace that the caller owns, for setns(2) on a thread of its own.
    public func duplicate() throws(SystemCallError) -> Int32 {
        let descriptor = descriptor.raw
        return try syscall("fcntl", name) { clinux_fcntl(descriptor, Int32(F_DUPFD_CLOEXEC), 0) }
    }

    /// Lends its descriptor to `body`.
    func withDescriptor<Value: ~Copyable, Failure: Error>(_ body: (Int32) throws(Failure) -> Value) throws(Failure) -> Value {
        try body(descriptor.raw)
    }

    /// Whether its name still stands for this namespace. The kernel keeps it for as long as it is
    /// open here, so this is how the end of a container shows. A process id that was given to another
    /// process counts as gone: the inodes differ.
    public var isPresent: Bool {
        var facts = stat()
        return stat(name, &facts) == 0 && UInt64(facts.st_ino) == inode
    }

    /// Runs `body` inside the namespace and gives what it returns. Sockets made there stay there.
    ///
    /// It runs on a thread of its own that ends with it: the caller's thread never changes namespace, and no
    /// thread that failed to come back is used again. A thread costs some 20 µs.
    public func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let descriptor = descriptor.raw
        let name = name
        return try onThreadOfItsOwn {
            do throws(SystemCallError) {
                try syscall("setns", name) { clinux_setns(descriptor, Int32(CLINUX_CLONE_NEWNET)) }
            } catch {
                if error.errno != EPERM { throw InterceptionError.system(error) }
                throw InterceptionError.missingCapability("CAP_SYS_ADMIN", doing: "enter network namespace \(name)")
            }
            return try body()
        }
    }
}
