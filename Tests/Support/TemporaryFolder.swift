// A folder of a test's own, gone with it.

import Linux

/// A new folder, mode 0700, removed with all in it when this object goes.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        var template = Array("/tmp/sallyport-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemCallError(call: "mkdtemp", errno: clinux_errno()) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }

    public func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
        let file = try Descriptor(opening: "\(path)/\(name)", flags: O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        try syscall("fchmod", name) { fchmod(file.raw, mode) }
        let bytes = Array(text.utf8)
        try syscall("write", name) { Linux.write(file.raw, bytes, bytes.count) }
    }

    public func read(_ name: String) throws -> String {
        let file = try Descriptor(opening: "\(path)/\(name)", flags: O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = try syscall("read", name) { Linux.read(file.raw, &bytes, bytes.count) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

private func removeTree(_ path: String) {
    if let stream = opendir(path) {
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != "." && name != ".." { removeTree("\(path)/\(name)") }
        }
        closedir(stream)
        rmdir(path)
    } else {
        unlink(path)
    }
}
