// Files that hold keys or trust: read only if nobody else could have written them, written so that a crash leaves the old or the new.

import Linux

/// Reads and writes the files of a CA's or a node's folder.
enum CheckedFile {
    /// A trust bundle of hundreds of roots stays under this.
    static let maximumSize = 1 << 20

    /// Checks a folder: owned by root or by the running user, and writable by nobody else.
    static func checkFolder(_ path: String) throws(PKIError) {
        var status = stat()
        do {
            try syscall("stat", path) { stat(path, &status) }
        } catch {
            throw .file(
                path: path, problem: describe(error), mend: "make the folder with `sallyport ca`, or correct the path")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .file(path: path, problem: "is not a folder", mend: "correct the path") }
        try checkOwner(path, status)
    }

    /// Reads a file.
    ///
    /// Symbolic links are followed, as mounted secrets need: what is checked is the file that was opened.
    /// - Parameter secret: Whether it holds a key, which only its owner may read.
    static func read(_ path: String, secret: Bool = false) throws(PKIError) -> String {
        var text: [UInt8] = []
        do {
            // Non-blocking, so that a FIFO in the place of a file cannot hold the caller up.
            let file = try Descriptor(opening: path, flags: O_RDONLY | O_NONBLOCK)
            var status = stat()
            try syscall("fstat", path) { fstat(file.raw, &status) }
            guard status.st_mode & S_IFMT == S_IFREG else { throw PKIError.file(path: path, problem: "is not a file", mend: "replace it") }
            try checkOwner(path, status)
            if secret, status.st_mode & 0o077 != 0 {
                throw PKIError.file(
                    path: path, problem: "holds a key and others can read it (mode \(octal(status.st_mode)))", mend: "run `chmod 600 \(path)`")
            }
            var chunk = [UInt8](repeating: 0, count: 16 * 1024)
            while true {
                let count = try syscall("read", path) { Glibc.read(file.raw, &chunk, chunk.count) }
                if count == 0 { break }
                text += chunk[..<count]
                if text.count > maximumSize {
                    throw PKIError.file(path: path, problem: "is over \(maximumSize) bytes", mend: "it cannot be a file of a CA; replace it")
                }
            }
        } catch let error as PKIError {
            throw error
        } catch let error as SystemCallError {
            throw .file(path: path, problem: describe(error), mend: mend(error))
        } catch {
            throw .file(path: path, problem: "\(error)", mend: "replace it")
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Writes a file: first beside its place and to the disk, then moved there.
    static func write(_ text: String, to path: String, mode: mode_t) throws(PKIError) {
        // Writers hold the folder's lock, so one name serves, and what a crash left behind is replaced.
        let temporary = "\(path).new"
        do {
            _ = unlink(temporary)
            do {
                let file = try Descriptor(opening: temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
                // The mode given to open(2) is cut by the umask.
                try syscall("fchmod", temporary) { fchmod(file.raw, mode) }
                var rest = Array(text.utf8)[...]
                while !rest.isEmpty {
                    let count = try syscall("write", temporary) { rest.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) } }
                    rest = rest.dropFirst(count)
                }
                try syscall("fsync", temporary) { fsync(file.raw) }
            }
            try syscall("rename", path) { rename(temporary, path) }
            // The new name reaches the disk with its folder; fsync(2).
            let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
            let directory = try Descriptor(opening: folder.isEmpty ? "/" : folder, flags: O_RDONLY | O_DIRECTORY)
            try syscall("fsync", folder) { fsync(directory.raw) }
        } catch {
            _ = unlink(temporary)
            throw .file(path: path, problem: "could not be written (\(describe(error)))", mend: mend(error))
        }
    }

    /// Makes a folder for its owner alone; one that is there already is checked.
    static func makeFolder(_ path: String) throws(PKIError) {
        if mkdir(path, 0o700) != 0, clinux_errno() != EEXIST {
            let error = SystemCallError(call: "mkdir", errno: clinux_errno(), subject: path)
            throw .file(
                path: path, problem: "could not be made (\(describe(error)))",
                mend: error.errno == ENOENT ? "make the folder above it first" : mend(error))
        }
        try checkFolder(path)
    }

    private static func checkOwner(_ path: String, _ status: stat) throws(PKIError) {
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw .file(
                path: path, problem: "belongs to user \(status.st_uid)", mend: "run `chown \(geteuid() == 0 ? "root" : "\(geteuid())") \(path)`")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw .file(
                path: path, problem: "can be written by others (mode \(octal(status.st_mode)))", mend: "run `chmod go-w \(path)`")
        }
    }

    private static func octal(_ mode: mode_t) -> String { String(mode & 0o7777, radix: 8) }

    private static func describe(_ error: SystemCallError) -> String { String(cString: strerror(error.errno)) }

    private static func mend(_ error: SystemCallError) -> String {
        switch error.errno {
        case ENOENT: "correct the path, or make it with `sallyport ca`"
        case EACCES, EPERM: "run this as the owner of the file"
        case ENOSPC, EDQUOT: "free space on that disk"
        default: "see what the system's log says about that disk"
        }
    }
}
