// Peers that take more than their share: bounded memory, and an end with its reason.

import Linux
import SallyportProtocol
import Support
import Synchronization
import TTRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct FloodTests {
    /// What two Unix sockets may hold on top of our queues: net.core.wmem_default is about 208 KiB, charged with overhead.
    private let kernel = 1 << 20

    /// Sends messages of 16 KiB for ever; counts them.
    private func flooding(_ sent: Counter, _ stopped: Signal) -> RPCRouter {
        var router = RPCRouter()
        router.add(service: "test", method: "Flood", .serverStream { _, _, sender in
            defer { stopped.set() }
            while true {
                try await sender.send([UInt8](repeating: 0, count: 16 << 10))
                sent.add(16 << 10)
            }
        })
        return router
    }

    @Test("a watcher that does not read makes the sender wait, and is cut off with a counted reason")
    func unreadStream() async throws {
        let sent = Counter()
        let stopped = Signal()
        let limits = TTRPCLimits(queuedBytes: 1 << 18, stallTimeout: .milliseconds(50))
        let (server, ending, far) = try serve(flooding(sent, stopped), limits: limits)
        let client = RawPeer(owning: far)
        try await client.send(
            Frame(stream: 1, type: .request, flags: .remoteClosed, payload: try request("Flood").serializedBytes()).encoded)
        #expect(await ending.value == .notRead)
        await stopped.wait()
        #expect(sent.value <= limits.queuedBytes + (16 << 10) + kernel)
        #expect(await server.counts.endings == ["not_read": 1])
        #expect(await server.counts.open == 0)
    }

    @Test("a server stops reading requests while its answers are not read")
    func unreadAnswers() async throws {
        let calls = Counter()
        var router = RPCRouter()
        router.add(service: "test", method: "Long", .unary { _, _ in
            calls.add(1)
            return [UInt8](repeating: 0, count: 16 << 10)
        })
        let limits = TTRPCLimits(openStreams: 8, queuedBytes: 1 << 18, stallTimeout: .milliseconds(50))
        let (_, ending, far) = try serve(router, limits: limits)
        let peer = RawPeer(owning: far)
        let payload = try request("Long").serializedBytes() as [UInt8]
        // Far more than anyone would queue; the cut-off is what ends it.
        let cutOff = await rpcSystemError {
            for id in 0..<UInt32(1_000_000) {
                try await peer.send((0..<100).flatMap { Frame(stream: 2 * (100 * id + $0) + 1, type: .request, payload: payload).encoded })
            }
        }
        #expect(cutOff == EPIPE || cutOff == ECONNRESET)
        #expect(await ending.value == .notRead)
        #expect(calls.value * (16 << 10) <= limits.queuedBytes + (8 + 1) * (16 << 10) + kernel)
    }

    @Test("frames without sense whose refusals are not read are not read for ever either")
    func unreadRefusals() async throws {
        let limits = TTRPCLimits(queuedBytes: 1 << 16, stallTimeout: .milliseconds(50))
        let (server, ending, far) = try serve(RPCRouter(), limits: limits)
        let peer = RawPeer(owning: far)
        let nonsense = (0..<1000).flatMap { _ in Frame.data(2) }
        let cutOff = await rpcSystemError { for _ in 0..<1_000_000 { try await peer.send(nonsense) } }
        #expect(cutOff == EPIPE || cutOff == ECONNRESET)
        #expect(await ending.value == .notRead)
        #expect(await server.counts.refusedFrames > 1000)
    }

    @Test("a slow reader gets everything in order, and never more than the queues hold waits for it")
    func slowReader() async throws {
        let sent = Counter()
        let consumed = Counter()
        let widest = Mutex(0)
        var router = RPCRouter()
        router.add(service: "test", method: "Count", .serverStream { _, _, sender in
            for number in 0..<2000 {
                try await sender.send([UInt8(number >> 8), UInt8(number & 255)] + [UInt8](repeating: 0, count: 4094))
                sent.add(4096)
                let gap = sent.value - consumed.value
                widest.withLock { $0 = max($0, gap) }
            }
        })
        let limits = TTRPCLimits(queuedBytes: 1 << 17)
        let client = try connect(router, limits: limits)
        let stream = try await client.open(service: "test", method: "Count", request: [], timeout: nil)
        for number in 0..<2000 {
            let message = try #require(try await stream.next())
            #expect(Int(message[0]) << 8 | Int(message[1]) == number)
            consumed.add(4096)
            for _ in 0..<10 { await Task.yield() }
        }
        #expect(try await stream.next() == nil)
        #expect(widest.withLock { $0 } <= 2 * limits.queuedBytes + (1 << 16) + kernel)
    }

    @Test("a method that does not read its stream makes the caller wait")
    func unreadInput() async throws {
        let go = Signal()
        let sent = Counter()
        let ahead = Counter()
        var router = RPCRouter()
        router.add(service: "test", method: "Sum", .clientStream { receiver, _ in
            await go.wait()
            ahead.add(sent.value)
            var count = 0
            while try await receiver.next() != nil { count += 1 }
            return [UInt8(count >> 8), UInt8(count & 255)]
        })
        let client = try connect(router, limits: TTRPCLimits(queuedBytes: 1 << 16))
        let stream = try await client.open(service: "test", method: "Sum", request: nil, timeout: nil)
        let sending = Task {
            for _ in 0..<1000 {
                try await stream.send([UInt8](repeating: 1, count: 4096))
                sent.add(4096)
            }
            try await stream.closeSend()
        }
        // While it does not read, at most the queues fill; then it does, and all arrive.
        while sent.value < 1 << 16 { await Task.yield() }
        go.set()
        #expect(try await stream.next() == [0x03, 0xe8])
        #expect(ahead.value <= 2 * (1 << 16) + (1 << 16) + kernel)
        try await sending.value
    }

    @Test("a frame that is not finished in time ends the connection", arguments: [[0, 0, 0, 5], [0, 0, 0, 5, 0, 0, 0, 1, 1, 0, 9], [255, 255, 255, 255, 0, 0, 0, 1, 1, 0, 9]] as [[UInt8]])
    func unfinishedFrame(start: [UInt8]) async throws {
        let (server, ending, far) = try serve(RPCRouter(), limits: TTRPCLimits(frameTimeout: .milliseconds(30)))
        let peer = RawPeer(owning: far)
        try await peer.send(start)
        #expect(await ending.value == .unfinishedFrame)
        #expect(await server.counts.endings == ["unfinished_frame": 1])
    }

    @Test("more streams than allowed are refused, and allowed again when some have ended")
    func openStreams() async throws {
        let go = Signal()
        var router = RPCRouter()
        router.add(service: "test", method: "Wait", .unary { _, _ in
            await go.wait()
            return []
        })
        let peer = RawPeer(owning: try serve(router, limits: TTRPCLimits(openStreams: 2)).far)
        let payload = try request("Wait").serializedBytes() as [UInt8]
        for id: UInt32 in [1, 3, 5] { try await peer.send(Frame(stream: id, type: .request, payload: payload).encoded) }
        let refusal = try #require(try await peer.receive())
        #expect(refusal.stream == 5)
        #expect(try Ttrpc_Response(serializedBytes: refusal.payload).outcome
            == .failure(RPCError(.resourceExhausted, "2 streams are open on this connection; wait for one to end")))
        go.set()
        #expect(Set([try await peer.receive()?.stream, try await peer.receive()?.stream]) == [1, 3])
        try await peer.send(Frame(stream: 7, type: .request, payload: payload).encoded)
        #expect(try await peer.receive() == Frame(stream: 7, type: .response))
    }

    @Test("random bytes end in refusals or in the connection's end, never in the server's", arguments: 0..<32)
    func garbage(seed: UInt64) async throws {
        let (_, ending, far) = try serve(streamingRouter())
        var random = SplitMix64(seed: seed)
        let valid: [[UInt8]] = [
            try Frame.request(1, "EchoStream", flags: .remoteOpen), Frame.data(1, "0801"), try Frame.request(3, "Echo", "0801"),
            try Frame.request(5, "SumStream", "0801", flags: .remoteOpen), Frame.data(5, flags: [.remoteClosed, .noData]),
        ]
        var input: [UInt8] = []
        for _ in 0..<200 {
            var frame = valid[Int(random.next() % UInt64(valid.count))]
            for _ in 0..<random.next() % 4 {
                frame[Int(random.next() % UInt64(frame.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            frame[0] = 0
            frame[1] = 0
            input += frame
        }
        let sent = input
        let peer = RawPeer(owning: far)
        async let sending: Void? = try? await peer.send(sent)
        async let drained: Void = {
            while let frame = try? await peer.receive() { _ = frame }
        }()
        await sending
        peer.shut(SHUT_WR)
        await drained
        #expect(await ending.value == .closedByPeer)
    }

    private func request(_ method: String) -> Ttrpc_Request {
        Ttrpc_Request(service: "test", method: method, payload: [], timeout: nil, metadata: [:])
    }

    private func rpcSystemError(_ body: () async throws -> Void) async -> Int32? {
        do { try await body() } catch { return (error as? SystemCallError)?.errno }
        return nil
    }
}

/// A number that one side of a test adds to and the other reads.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .acquiring) }
    func add(_ number: Int) { count.add(number, ordering: .releasing) }
}
