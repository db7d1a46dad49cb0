// Files that say which plugins run: whoever may write one decides what runs with the daemon's rights.

import Linux

/// The bytes of a file that belongs to root or the daemon's user and that nobody else may write. Symbolic links are
/// followed, since configuration is often mounted through them.
/// - Parameter limit: A longer file is refused with `EFBIG`.
public func readTrustedFile(_ path: String, limit: Int) throws(PluginFault) -> [UInt8] {
    let descriptor = try opened(path, O_RDONLY | O_NONBLOCK)
    let status = try unreadable { () throws(SystemCallError) in try fileStatus(of: descriptor.raw, path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegularFile(path: path) }
    try checkOwnership(status, path)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = try unreadable { () throws(SystemCallError) in
            try syscall("read", path) { read(descriptor.raw, &buffer, buffer.count) }
        }
        if count == 0 { return bytes }
        bytes += buffer[..<count]
        if bytes.count > limit { throw .unreadable(SystemCallError(call: "read", errno: EFBIG, subject: path)) }
    }
}
