import ControlAPI
import Linux
import Logging
import Prometheus
import Support
import Testing

struct MetricsServerTests {
    private let snapshot = MetricsSnapshot([MetricFamily("sallyport_test", .gauge, help: "A number.", 42)])
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Sends a request and reads to the end.
    private func get(_ connect: @escaping @Sendable () throws -> Int32, _ request: String = "GET /metrics HTTP/1.1\r\n\r\n") async throws -> String {
        try await onThread {
            let socket = Descriptor(owning: try connect())
            let flags = clinux_fcntl(socket.raw, F_GETFL, 0)
            _ = clinux_fcntl(socket.raw, F_SETFL, Int(flags & ~O_NONBLOCK))
            try syscall("send") { send(socket.raw, request, request.utf8.count, Int32(MSG_NOSIGNAL)) }
            var answer: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = try syscall("recv") { recv(socket.raw, &buffer, buffer.count, 0) }
                if count == 0 { return String(decoding: answer, as: UTF8.self) }
                answer += buffer[..<count]
            }
        }
    }

    private func unix(_ path: String) -> @Sendable () throws -> Int32 { { try Descriptor(connectingTo: path).release() } }

    @Test("a scrape over a Unix socket gets the metrics, also beside callers that say nothing")
    func overUnixSocket() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/m"
        let server = try MetricsServer(address: .unix(path: path), logger: logger) { [snapshot] in snapshot }
        let silent = try (0..<8).map { _ in try Descriptor(connectingTo: path).release() }
        defer { silent.forEach { close($0) } }
        let answer = try await get(unix(path))
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n\(snapshot.text)"))
        #expect(answer.contains("\r\nContent-Length: \(snapshot.text.utf8.count)\r\n"))
        #expect(try await get(unix(path), "GET / HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 404 "))
        #expect(try await get(unix(path), "HEAD /metrics HTTP/1.1\r\n\r\n").hasSuffix("Connection: close\r\n\r\n"))
        server.stop()
        #expect(access(path, F_OK) != 0)
    }

    @Test("a long answer arrives whole, and many scrapes at once each get theirs")
    func many() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/m"
        let large = MetricsSnapshot([
            MetricFamily("m", .gauge, help: "", samples: (0..<50_000).map { .init(Double($0), labels: [.init("n", "\($0)")]) })
        ])
        let server = try MetricsServer(address: .unix(path: path), logger: logger) { large }
        defer { server.stop() }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<24 { group.addTask { try await get(unix(path)).hasSuffix("\r\n\r\n\(large.text)") } }
            for try await isWhole in group { #expect(isWhole) }
        }
    }

    @Test("a scrape over TCP gets the metrics", arguments: ["127.0.0.1", "::1"])
    func overTCP(_ host: String) async throws {
        let address = try #require(IPAddress(host))
        // The kernel chooses a free port and forgets it again.
        let free: UInt16 = try {
            let probe = Descriptor(owning: try syscall("socket") { socket(address.isV4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0) })
            var (raw, length) = SocketAddress(address, 0).raw
            try withUnsafeMutablePointer(to: &raw) { pointer in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                    try syscall("bind") { bind(probe.raw, name, length) }
                    try syscall("getsockname") { getsockname(probe.raw, name, &length) }
                }
            }
            return SocketAddress(raw).port
        }()
        let listening = SocketAddress(address, free)
        let server = try MetricsServer(address: .tcp(listening), logger: logger) { [snapshot] in snapshot }
        defer { server.stop() }
        let answer = try await get {
            let client = Descriptor(owning: try syscall("socket") { socket(address.isV4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0) })
            var (raw, length) = listening.raw
            try withUnsafePointer(to: &raw) { pointer in
                _ = try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in try syscall("connect") { connect(client.raw, name, length) } }
            }
            return client.release()
        }
        #expect(answer.hasSuffix(snapshot.text))
    }

    @Test("addresses are told apart", arguments: ["unix:/run/m.sock", "127.0.0.1:9464", "[::1]:9464", "localhost:1", "9464", "", "127.0.0.1:0", "m.sock", "unix:m.sock", "/m"])
    func addresses(_ text: String) {
        switch MetricsAddress(text) {
        case .unix(let path): #expect(path == "/run/m.sock")
        case .tcp(let address): #expect(address.port == 9464 && address.description == text)
        case nil: #expect(["localhost:1", "9464", "", "127.0.0.1:0", "m.sock", "unix:m.sock", "/m"].contains(text))
        }
    }
}
