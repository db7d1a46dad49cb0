// Which namespaces hold this enforcer's rules: kept on disk, since the rules outlive the process.

import Interception
import Linux

/// The file `intercepted` in the state directory: a namespace's path on each line.
public struct InterceptedNamespaces: Sendable {
    let path: String
    private let pins: SteeringPins

    public init(stateDirectory: String) {
        path = "\(stateDirectory)/intercepted"
        pins = SteeringPins(stateDirectory: stateDirectory)
    }

    /// Replaces what the file says. Written beside and renamed, so that a crash leaves one or the other.
    func write(_ namespaces: [String]) throws(SystemCallError) {
        let text = namespaces.sorted().map { $0 + "\n" }.joined()
        let file = try Descriptor(opening: path + ".new", flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            written += try syscall("write", path) { bytes[written...].withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) } }
        }
        try syscall("rename", path) { rename(path + ".new", path) }
    }

    func read() throws(SystemCallError) -> [String] {
        // Where it may not be looked at, opening it says so.
        if access(path, F_OK) != 0 && [ENOENT, ENOTDIR].contains(clinux_errno()) { return [] }
        let file = try Descriptor(opening: path, flags: O_RDONLY)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = try syscall("read", path) { chunk.withUnsafeMutableBytes { Glibc.read(file.raw, $0.baseAddress, $0.count) } }
            if count == 0 { break }
            text += chunk[..<count]
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Removes the rules from every namespace listed, and the file.
    /// - Returns: A line for each namespace: what was done, or why not.
    public func uninstall() throws(SystemCallError) -> [String] {
        let namespaces = try read()
        var lines: [String] = []
        for name in namespaces {
            do {
                try Interceptor.uninstall(from: NetworkNamespace(path: name))
                lines.append("\(name): removed")
            } catch {
                lines.append("\(name): \(error)")
            }
        }
        try pins.removeAll()
        if !namespaces.isEmpty { try syscall("unlink", path) { unlink(path) } }
        return lines
    }
}
