// HAProxy's configuration file, read again when it or HAProxy is another one.

import Linux

/// What was in the file, or why nothing is known by it.
package struct ConfigurationFile: Sendable, Equatable {
    /// As much as an answer of the runtime socket: some 40,000 servers.
    static let maximumSize = 4 << 20

    /// Which file was read, and of which time.
    private struct Identity: Equatable {
        let path: String
        let device: dev_t
        let inode: ino_t
        let size: off_t
        let seconds: Int
        let nanoseconds: Int
    }

    private let identity: Identity?
    private let read: BalancerConfiguration?
    /// Empty if the file is what HAProxy runs with.
    package private(set) var problem: String
    /// What HAProxy runs with; nil if the file does not tell it.
    package var configuration: BalancerConfiguration? { problem.isEmpty ? read : nil }

    /// Reads the file, which blocks, unless `earlier` has read the same.
    /// - Parameter start: When HAProxy began, in seconds since 1970: it does not run with what was written later.
    package init(_ path: String, after earlier: ConfigurationFile?, start: Int64) {
        do throws(Unread) {
            let file = try ConfigurationFile.open(path)
            let read: BalancerConfiguration
            if let earlier, earlier.identity == file.identity, let known = earlier.read {
                read = known
            } else {
                read = try ConfigurationFile.parse(file.descriptor, path)
            }
            (identity, self.read) = (file.identity, read)
            problem = file.identity.seconds > start ? "\(path) was changed after HAProxy had read it: reload HAProxy" : ""
        } catch {
            (identity, self.read, problem) = (nil, nil, error.reason)
        }
    }

    private struct Unread: Error {
        let reason: String
    }

    private struct Opened: ~Copyable {
        let descriptor: Descriptor
        let identity: Identity
    }

    private static func open(_ path: String) throws(Unread) -> Opened {
        do throws(SystemCallError) {
            // Without waiting, if it is a FIFO.
            let file = try Descriptor(opening: path, flags: O_RDONLY | O_NONBLOCK)
            var status = stat()
            try syscall("fstat", path) { fstat(file.raw, &status) }
            guard status.st_mode & S_IFMT == S_IFREG else { throw SystemCallError(call: "read", errno: EINVAL, subject: path) }
            // The change, and not the modification: a file that is moved into its place keeps the latter.
            let identity = Identity(
                path: path, device: status.st_dev, inode: status.st_ino, size: status.st_size, seconds: status.st_ctim.tv_sec,
                nanoseconds: status.st_ctim.tv_nsec)
            return Opened(descriptor: file, identity: identity)
        } catch {
            throw unread(error, path)
        }
    }

    private static func parse(_ file: borrowing Descriptor, _ path: String) throws(Unread) -> BalancerConfiguration {
        let raw = file.raw
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count: Int
            do throws(SystemCallError) {
                count = try syscall("read", path) { Glibc.read(raw, &chunk, chunk.count) }
            } catch {
                throw unread(error, path)
            }
            if count == 0 { break }
            text += chunk[..<count]
            if text.count > maximumSize { throw Unread(reason: "\(path) has more than \(maximumSize >> 20) MiB: set `configuration` to HAProxy's file, or leave it out") }
        }
        do throws(Malformed) {
            return try BalancerConfiguration(text)
        } catch {
            throw Unread(reason: "\(path) \(error.reason), so that it does not tell what HAProxy runs with: set `backends`, and leave `configuration` out")
        }
    }

    private static func unread(_ error: SystemCallError, _ path: String) -> Unread {
        switch error.errno {
        case ENOENT, ENOTDIR: Unread(reason: "\(path) does not exist: set `configuration` to HAProxy's file, or leave it out")
        case EACCES, EPERM: Unread(reason: "\(path) may not be read: let the daemon's user read it, or leave `configuration` out")
        case EINVAL, EISDIR: Unread(reason: "\(path) is no file: set `configuration` to HAProxy's one file, or leave it out")
        default: Unread(reason: "\(path) cannot be read: \(error)")
        }
    }
}
