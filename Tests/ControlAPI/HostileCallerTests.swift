import FakeControl
import Linux
import Support
import TTRPC
import Testing

/// Frames that lie, never end, or are noise: the daemon answers others as before.
struct HostileCallerTests {
    private func frame(_ length: UInt32, _ stream: UInt32, _ type: UInt8, _ flags: UInt8, _ data: [UInt8] = []) -> [UInt8] {
        func big(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
        return big(length) + big(stream) + [type, flags] + data
    }

    /// Sends `bytes`, closes the sending side, and reads until the server has closed.
    private func exchange(_ path: String, _ bytes: [UInt8]) async throws {
        try await onThread {
            let socket = try Descriptor(connectingTo: path)
            var rest = bytes[...]
            while !rest.isEmpty {
                var polled = pollfd(fd: socket.raw, events: Int16(POLLOUT), revents: 0)
                poll(&polled, 1, -1)
                let count = rest.withUnsafeBytes { send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                if count < 0 && errno != EAGAIN { return }
                rest = rest.dropFirst(max(0, count))
            }
            shutdown(socket.raw, Int32(SHUT_WR))
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                var polled = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
                poll(&polled, 1, -1)
                let count = recv(socket.raw, &buffer, buffer.count, 0)
                if count == 0 || (count < 0 && errno != EAGAIN) { return }
            }
        }
    }

    private func withDaemon(_ body: (_ path: String, _ fake: FakeControl) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/s"
        let fake = FakeControl()
        try await withControlServer(at: path, fake) { _ in
            // Open before the trouble, to be answered after it.
            let witness = try TTRPCClient(path: path)
            _ = try await witness.call(service: controlName, method: "Status", request: [], timeout: .seconds(60))
            try await body(path, fake)
            _ = try await witness.call(service: controlName, method: "Status", request: [], timeout: .seconds(60))
            _ = try await TTRPCClient(path: path).call(service: controlName, method: "Status", request: [], timeout: .seconds(60))
        }
    }

    @Test("lengths that lie harm nobody", arguments: [UInt32.max, 5 << 20, 1 << 31, 100, 1])
    func lyingLength(_ length: UInt32) async throws {
        try await withDaemon { path, _ in
            try await exchange(path, frame(length, 1, 1, 1, Array("not so long".utf8)))
        }
    }

    @Test("a frame that never ends is dropped when the caller goes")
    func endless() async throws {
        try await withDaemon { path, _ in
            for length in 0..<10 { try await exchange(path, Array(frame(100, 1, 1, 1).prefix(length))) }
        }
    }

    @Test("ids that are even, used again or falling harm nobody, and start nothing")
    func streamIDs() async throws {
        try await withDaemon { path, fake in
            let before = fake.calls.count
            let request = Array("\u{0a}\u{01}x".utf8)
            try await exchange(
                path, frame(3, 2, 1, 1, request) + frame(3, 5, 1, 1, request) + frame(3, 5, 1, 1, request) + frame(3, 3, 1, 1, request))
            #expect(fake.calls.count == before)
        }
    }

    @Test("noise harms nobody")
    func noise() async throws {
        var random = SplitMix64(seed: 7)
        let inputs = (0..<50).map { _ in (0..<Int.random(in: 1...4000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) } }
        try await withDaemon { path, _ in
            for input in inputs { try await exchange(path, input) }
        }
    }

    @Test("a request that is no message of its call is an error, and the connection lives on")
    func badRequest() async throws {
        try await withDaemon { path, _ in
            let client = try TTRPCClient(path: path)
            for method in ["Explain", "Drain", "WatchFlows"] {
                do {
                    let stream = try await client.open(service: controlName, method: method, request: [0xff, 0xff, 0xff], timeout: nil)
                    _ = try await stream.next()
                    Issue.record("\(method) took garbage")
                } catch let error as RPCError {
                    #expect(error.code == .invalidArgument)
                }
            }
            _ = try await client.call(service: controlName, method: "Status", request: [], timeout: nil)
        }
    }

    @Test("callers beyond the limit are turned away, and those before are served")
    func tooMany() async throws {
        try await withDaemon { path, _ in
            var clients: [TTRPCClient] = []
            var turnedAway = 0
            for _ in 0..<80 {
                let client = try TTRPCClient(path: path)
                do {
                    _ = try await client.call(service: controlName, method: "Status", request: [], timeout: .seconds(60))
                    clients.append(client)
                } catch {
                    turnedAway += 1
                }
            }
            #expect(clients.count + turnedAway == 80)
            #expect(turnedAway >= 16)
            for client in clients {
                _ = try await client.call(service: controlName, method: "Status", request: [], timeout: .seconds(60))
                await client.close()
            }
            // Once they have gone there is room again; the server learns of it on its own thread.
            for attempt in 1... {
                do {
                    _ = try await TTRPCClient(path: path).call(service: controlName, method: "Status", request: [], timeout: .seconds(60))
                    break
                } catch {
                    if attempt == 1000 { throw error }
                    await Task.yield()
                }
            }
        }
    }
}
