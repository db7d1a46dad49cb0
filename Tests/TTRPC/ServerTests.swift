// Listening servers: their limits, their events and their end.

import Foundation
import Linux
import Support
import Synchronization
import TTRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct ServerTests {
    /// A path for a socket that nobody else has.
    private let path = FileManager.default.temporaryDirectory.appending(path: "ttrpc-\(UUID().uuidString.prefix(12)).sock").path

    private func listen() throws -> Int32 { try Descriptor(listeningAt: path).release() }

    private func echo(_ client: TTRPCClient) async throws -> [UInt8] {
        try await client.call(service: streamingService, method: "Echo", request: [8, 1], timeout: nil)
    }

    @Test("clients of a listening server are served side by side, and told of in events")
    func listening() async throws {
        defer { unlink(path) }
        let events = Mutex<[String]>([])
        let server = try TTRPCServer(router: streamingRouter()) { event in
            switch event {
            case .accepted(let peer): events.withLock { $0.append("accepted \(peer?.pid == getpid())") }
            case .ended(_, let why): events.withLock { $0.append("ended \(why.name)") }
            default: events.withLock { $0.append("\(event)") }
            }
        }
        let listener = try listen()
        let serving = Task { try await server.serve(listening: Descriptor(owning: listener)) }
        let clients = try (0..<10).map { _ in try TTRPCClient(path: path) }
        for client in clients { #expect(try await echo(client) == [8, 2]) }
        #expect(await server.counts.open == 10)
        for client in clients { await client.close() }
        await server.stop()
        try await serving.value
        #expect(await server.counts.accepted == 10)
        #expect(await server.counts.open == 0)
        #expect(Set(events.withLock { $0 }).isSubset(of: ["accepted true", "ended closed_by_peer", "ended stopped"]))
    }

    @Test("a server that is stopped as it begins to listen comes back")
    func stoppedAtOnce() async throws {
        defer { unlink(path) }
        for round in 0..<500 {
            let server = try TTRPCServer(router: streamingRouter())
            unlink(path)
            let listener = try listen()
            let serving = Task { try await server.serve(listening: Descriptor(owning: listener)) }
            for _ in 0..<round % 8 { await Task.yield() }
            await server.stop()
            try await serving.value
        }
    }

    @Test("a connection too many is closed at once and counted; a freed place is used again")
    func connections() async throws {
        defer { unlink(path) }
        let ended = Signal()
        let server = try TTRPCServer(router: streamingRouter(), limits: TTRPCLimits(connections: 1)) {
            if case .ended = $0 { ended.set() }
        }
        let listener = try listen()
        let serving = Task { try await server.serve(listening: Descriptor(owning: listener)) }
        let first = try TTRPCClient(path: path)
        #expect(try await echo(first) == [8, 2])
        let second = try TTRPCClient(path: path)
        #expect(await rpcError { _ = try await echo(second) }?.code == .unavailable)
        #expect(await server.counts.turnedAway == 1)
        await first.close()
        await ended.wait()
        #expect(try await echo(TTRPCClient(path: path)) == [8, 2])
        await server.stop()
        try await serving.value
    }

    @Test("nobody listening is unavailable, with the path and the reason")
    func nobody() async throws {
        let error = await rpcError { _ = try TTRPCClient(path: path) }
        #expect(error == RPCError(.unavailable, "connect \(path): No such file or directory"))
        let long = await rpcError { _ = try TTRPCClient(path: "/" + String(repeating: "x", count: 200)) }
        #expect(long?.code == .unavailable)
    }

    @Test("stopping lets what runs end, and refuses what is new")
    func gracefulStop() async throws {
        let started = Signal()
        let go = Signal()
        var router = streamingRouter()
        router.add(service: "test", method: "Slow", .unary { _, _ in
            started.set()
            await go.wait()
            return [1]
        })
        let (server, ending, far) = try serve(router)
        let client = try TTRPCClient(connection: Descriptor(owning: far))
        async let answer = client.call(service: "test", method: "Slow", request: [], timeout: nil)
        await started.wait()
        async let stopped: Void = server.stop(grace: .seconds(3600))
        while await rpcError({ _ = try await echo(client) }) != RPCError(.unavailable, "the server is stopping") {}
        go.set()
        #expect(try await answer == [1])
        await stopped
        #expect(await ending.value == .stopped)
    }

    @Test("stopping without grace ends what runs")
    func abruptStop() async throws {
        let cancelled = Signal()
        let (server, ending, far) = try serve(streamingRouter(onCancel: cancelled))
        let client = try TTRPCClient(connection: Descriptor(owning: far))
        // Served before the stop, or it would not be there to be stopped.
        #expect(try await echo(client) == [8, 2])
        async let failed = rpcError { _ = try await client.call(service: streamingService, method: "Wait", request: [], timeout: nil) }
        await server.stop()
        #expect(await failed?.code == .unavailable)
        #expect(await ending.value == .stopped)
    }

    @Test("a server out of descriptors tells so, and accepts again when it has some")
    func outOfDescriptors() async throws {
        // In a process of its own: the limit is the process's.
        await #expect(processExitsWith: .success) {
            let path = FileManager.default.temporaryDirectory.appending(path: "ttrpc-\(UUID().uuidString.prefix(12)).sock").path
            defer { unlink(path) }
            let failed = Signal()
            let server = try TTRPCServer(router: streamingRouter()) { event in
                if case .acceptFailed(let error) = event, error.errno == EMFILE { failed.set() }
            }
            let listener = try Descriptor(listeningAt: path).release()
            let client = try Descriptor(connectingTo: path).release()
            // Everything that is free is taken before the server looks at its listener.
            var limit = rlimit(rlim_cur: 64, rlim_max: 64)
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            var taken: [Int32] = []
            while case let descriptor = dup(0), descriptor >= 0 { taken.append(descriptor) }
            let serving = Task { try await server.serve(listening: Descriptor(owning: listener)) }
            await failed.wait()
            for descriptor in taken { close(descriptor) }
            let answer = try await TTRPCClient(connection: Descriptor(owning: client))
                .call(service: streamingService, method: "Echo", request: [8, 1], timeout: nil)
            precondition(answer == [8, 2])
            serving.cancel()
            try await serving.value
        }
    }
}
