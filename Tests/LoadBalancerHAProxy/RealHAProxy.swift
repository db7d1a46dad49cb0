// A real HAProxy of a test's own, with its sockets in a temporary directory.

import Linux
import LoadBalancerHAProxy
import Support

final class RealHAProxy {
    let directory: TemporaryDirectory
    private var program: NetworkProgram?

    init() throws { directory = try TemporaryDirectory() }

    /// Of level admin, for what the tests change; the plugin's own is "operator.sock".
    var admin: RuntimeAddress { .path("\(directory.path)/admin.sock") }
    var path: String { "\(directory.path)/operator.sock" }
    var configuration: String { "\(directory.path)/haproxy.cfg" }

    /// Ends the one before, and waits until the new one answers.
    func start(_ sections: String) throws {
        end()
        try write(sections)
        let program = try NetworkProgram.start("haproxy", ["-db", "-f", configuration])
        self.program = program
        try program.wait("answers") { (try? RuntimeSocket(admin).ask("show info")) != nil }
    }

    /// Writes the file alone: what runs stays as it is.
    func write(_ sections: String) throws {
        try directory.write("haproxy.cfg", """
            global
              stats socket \(directory.path)/admin.sock mode 600 level admin
              stats socket \(path) mode 600 level operator
              stats socket \(directory.path)/user.sock mode 600 level user
            defaults
              mode tcp
              timeout connect 1s
              timeout client 5s
              timeout server 5s
            \(sections)

            """)
    }

    func end() {
        program?.stop()
        program = nil
    }

    /// - Parameter expected: How the answer begins.
    func command(_ command: String, answers expected: String = "\n") throws {
        let answer = String(decoding: try RuntimeSocket(admin).ask(command), as: UTF8.self)
        if !answer.hasPrefix(expected) { throw NetworkError(what: "\(command): \(answer)") }
    }
}

/// A TCP port on 127.0.0.1 that something listens on, or that nothing does once this is gone.
struct LoopbackPort: ~Copyable {
    let number: UInt16
    private let listener: Descriptor

    init() throws {
        let listener = Descriptor(owning: try syscall("socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0) })
        let raw = listener.raw
        var (name, length) = SocketAddress(.v4Loopback, 0).raw
        try syscall("bind") { withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, length) } } }
        try syscall("listen") { listen(raw, 64) }
        length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        try syscall("getsockname") {
            withUnsafeMutablePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) } }
        }
        number = SocketAddress(name).port
        self.listener = listener
    }

    /// One that nothing listens on.
    static func free() throws -> UInt16 { try LoopbackPort().number }
}
