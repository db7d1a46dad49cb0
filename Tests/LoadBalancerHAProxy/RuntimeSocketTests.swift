// What may be at the other end of the socket that is not an HAProxy in order.

import Linux
import LoadBalancerHAProxy
import Support
import Testing

@Suite("HAProxy's socket", .timeLimit(.minutes(1)))
struct RuntimeSocketTests {
    private let directory: TemporaryDirectory
    private var path: String { "\(directory.path)/s" }

    init() throws { directory = try TemporaryDirectory() }

    /// The failure of asking somebody who does `body` with each connection.
    private func failure(patience: UInt64 = 20_000_000_000, _ body: @escaping @Sendable (Int32) -> Void) async throws -> String {
        let listener = try Descriptor(listeningAt: path)
        let raw = listener.raw
        let path = path
        return try await onThread {
            let peer = try RunningThread(name: "peer") {
                var polled = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
                guard poll(&polled, 1, 20_000) == 1 else { return }
                let connection = accept(raw, nil, nil)
                body(connection)
                close(connection)
            }
            defer { peer.join() }
            do throws(SurveyFailed) {
                _ = try RuntimeSocket(.path(path), patience: patience).survey(after: nil)
                return "none"
            } catch {
                return error.description.replacing(path, with: "SOCKET")
            }
        }
    }

    private static func tell(_ connection: Int32, _ text: String, times: Int = 1) {
        var request = [UInt8](repeating: 0, count: 64)
        _ = read(connection, &request, request.count)
        let bytes = Array(String(repeating: text, count: times).utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return }
            sent += count
        }
    }

    @Test("a web server, an old HAProxy, one who closes at once and one cut off are told apart", arguments: [
        ("HTTP/1.0 400 Bad request\r\n", "SOCKET answers \"show info\" with what is not HAProxy's: it begins with \"HTTP/1.0 400 Bad request\"; set `socket` to HAProxy's stats socket"),
        ("", "SOCKET answers \"show info\" with nothing; set `socket` to HAProxy's stats socket"),
        ("Name: HAProxy\nVersion: 2.4", "SOCKET answers \"show info\" with what is not HAProxy's: it is cut off; set `socket` to HAProxy's stats socket"),
        ("Name: HAProxy\nVersion: 2.4.22\nPid: 7\nUptime_sec: 1\n\n", "HAProxy on SOCKET is version 2.4.22, and this plugin reads 2.6 and later: install a later one"),
    ])
    func foreign(text: String, reason: String) async throws {
        #expect(try await failure { RuntimeSocketTests.tell($0, text) } == reason)
    }

    @Test("an answer that never ends is given up after 4 MiB")
    func endless() async throws {
        let reason = try await failure { RuntimeSocketTests.tell($0, "Name: HAProxy\n", times: 1_000_000) }
        #expect(reason == "SOCKET answers \"show info\" with more than 4 MiB: set `socket` to that of an HAProxy with fewer servers")
    }

    @Test("an answer that does not come, or not to its end, is given up", arguments: ["", "Name: HAProxy\n"])
    func slow(text: String) async throws {
        let reason = try await failure(patience: 50_000_000) { connection in
            if !text.isEmpty { RuntimeSocketTests.tell(connection, text) }
            // Until the other side has given up.
            var byte: UInt8 = 0
            while read(connection, &byte, 1) > 0 {}
        }
        #expect(reason == "SOCKET gave no whole answer to \"show info\" in 50 ms: see whether HAProxy is overloaded, or something else listens there")
    }

    @Test("no socket, one that nobody listens on, a file, and one that is not for us: each says what mends it")
    func unopened() throws {
        let setting = "`stats socket \(path) mode 660 level operator` in its section global"
        func reason() -> String {
            do throws(SurveyFailed) {
                _ = try RuntimeSocket(.path(path)).ask("show info")
                return "none"
            } catch {
                return error.description
            }
        }
        #expect(reason() == "\(path) does not exist: start HAProxy with \(setting), or set `socket` to the path that it has there")
        do { _ = try Descriptor(listeningAt: path) }
        #expect(reason() == "nobody listens on \(path): start HAProxy with \(setting)")
        unlink(path)
        try directory.write("s", "")
        #expect(reason() == "nobody listens on \(path): start HAProxy with \(setting)")
        unlink(path)
        // Said by its error, since root may open everything.
        let refused = RuntimeSocket(.path(path)).failure(SystemCallError(call: "connect", errno: EACCES, subject: path), "show info").description
        #expect(refused == "\(path) may not be opened: put the daemon's user into the socket's group, or give the socket another with `group` behind \(setting)")
        #expect(throws: SurveyFailed("nobody listens on 127.0.0.1:1: start HAProxy with `stats socket 127.0.0.1:1 mode 660 level operator` in its section global")) {
            try RuntimeSocket(.tcp(SocketAddress(.v4Loopback, 1))).ask("show info")
        }
    }
}
