// A directory that goes with the test.

import Linux

/// A new directory, removed with all that is in it.
public final class TemporaryDirectory: Sendable {
    public let path: String

    public init(in parent: String = "/tmp") throws {
        var template = Array("\(parent)/sallyport-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemCallError(call: "mkdtemp", errno: errno, subject: parent) }
        // Programs that give up root must be able to enter.
        chmod(template, 0o755)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        _ = try? NetworkProgram.run("rm", ["-rf", "--", path], in: nil)
    }

    /// Writes a file, and the directories above it.
    /// - Returns: Its path.
    @discardableResult
    public func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        var directory = path
        for part in name.split(separator: "/").dropLast() {
            directory += "/\(part)"
            mkdir(directory, 0o755)
        }
        let file = try Descriptor(opening: path + "/" + name, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            bytes = bytes.dropFirst(try syscall("write", name) { bytes.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) } })
        }
        return path + "/" + name
    }
}
