// Calls that end before their answer: deadlines, cancellation, peers that go.

import Linux
import SallyportProtocol
import Support
import TTRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct DeadlineTests {
    @Test("a call past its deadline fails with what was late, and its method is cancelled")
    func deadline() async throws {
        let cancelled = Signal()
        let client = try connect(streamingRouter(onCancel: cancelled))
        let error = await rpcError {
            _ = try await client.call(service: streamingService, method: "Wait", request: [], timeout: .milliseconds(20))
        }
        #expect(error == RPCError(.deadlineExceeded, "\(streamingService)/Wait did not end within 0.02 seconds"))
        await cancelled.wait()
        #expect(try await client.call(service: streamingService, method: "Echo", request: [8, 1], timeout: nil) == [8, 2])
    }

    @Test("a deadline of nothing fails without a call")
    func noTime() async throws {
        let client = try connect(streamingRouter())
        for timeout: Duration in [.zero, .seconds(-1)] {
            #expect(await rpcError {
                _ = try await client.call(service: streamingService, method: "Wait", request: [], timeout: timeout)
            }?.code == .deadlineExceeded)
        }
    }

    @Test("the server keeps the deadline by itself, and tells so")
    func serverDeadline() async throws {
        let cancelled = Signal()
        let peer = RawPeer(owning: try serve(streamingRouter(onCancel: cancelled)).far)
        try await peer.send(try Frame.request(1, "Wait", timeout: 1_000_000))
        let answer = try #require(try await peer.receive())
        #expect(try Ttrpc_Response(serializedBytes: answer.payload).outcome
            == .failure(RPCError(.deadlineExceeded, "the deadline of the call has passed")))
        await cancelled.wait()
    }

    @Test("cancelling the task that calls cancels the method")
    func cancelledCall() async throws {
        let cancelled = Signal()
        let client = try connect(streamingRouter(onCancel: cancelled))
        let call = Task { await rpcError { _ = try await client.call(service: streamingService, method: "Wait", request: [], timeout: nil) } }
        call.cancel()
        #expect(await call.value?.code == .cancelled)
        // The call may have been cancelled before it began; one that began is cancelled at the server too.
        let started = Signal()
        let client2 = try connect(waiting(started, cancelled))
        let call2 = Task { await rpcError { _ = try await client2.call(service: "test", method: "Wait", request: [], timeout: nil) } }
        await started.wait()
        call2.cancel()
        #expect(await call2.value?.code == .cancelled)
        await cancelled.wait()
    }

    @Test("cancelling a stream cancels the method; so does dropping it", arguments: [true, false])
    func cancelledStream(explicitly: Bool) async throws {
        let cancelled = Signal()
        var router = RPCRouter()
        router.add(service: "test", method: "Stream", .bidirectional { receiver, _, sender in
            try await sender.send([1])
            await Signal.untilCancelled()
            #expect(await rpcError { try await sender.send([2]) }?.code == .cancelled)
            #expect(await rpcError { _ = try await receiver.next() }?.code == .cancelled)
            cancelled.set()
        })
        let client = try connect(router)
        do {
            let stream = try await client.open(service: "test", method: "Stream", request: nil, timeout: nil)
            #expect(try await stream.next() == [1])
            if explicitly {
                await stream.cancel()
                #expect(await rpcError { _ = try await stream.next() }?.code == .cancelled)
            }
        }
        await cancelled.wait()
    }

    @Test("a call on a connection whose other end dies is unavailable, at once and later")
    func peerDeath() async throws {
        let (near, far) = try unixSocketPair()
        let client = try TTRPCClient(connection: Descriptor(owning: near))
        let peer = RawPeer(owning: far)
        async let failed = rpcError { _ = try await client.call(service: "test", method: "Do", request: [], timeout: nil) }
        #expect(try await peer.receive()?.type == .request)
        peer.shut(SHUT_RDWR)
        #expect(await failed == RPCError(.unavailable, "the other end closed the connection"))
        #expect(await rpcError { _ = try await client.call(service: "test", method: "Do", request: [], timeout: nil) }
            == RPCError(.unavailable, "the other end closed the connection"))
    }

    @Test("what arrived before the other end died is still read, then the stream fails")
    func peerDeathInStream() async throws {
        let (near, far) = try unixSocketPair()
        let client = try TTRPCClient(connection: Descriptor(owning: near))
        let peer = RawPeer(owning: far)
        let stream = try await client.open(service: "test", method: "Do", request: [], timeout: nil)
        _ = try await peer.receive()
        try await peer.send(Frame.data(1, "01") + Frame.data(1, "02") + [0, 0])
        peer.shut(SHUT_RDWR)
        #expect(try await stream.next() == [1])
        #expect(try await stream.next() == [2])
        #expect(await rpcError { _ = try await stream.next() }?.code == .unavailable)
        #expect(await rpcError { try await stream.send([]) }?.code == .unavailable)
    }

    @Test("a caller that goes away cancels what runs for it")
    func callerDeath() async throws {
        let started = Signal()
        let cancelled = Signal()
        let (_, ending, far) = try serve(waiting(started, cancelled))
        let client = try TTRPCClient(connection: Descriptor(owning: far))
        async let failed = rpcError { _ = try await client.call(service: "test", method: "Wait", request: [], timeout: nil) }
        await started.wait()
        await client.close()
        #expect(await failed == RPCError(.unavailable, "the connection was closed at this end"))
        await cancelled.wait()
        #expect(await ending.value == .closedByPeer)
    }

    @Test("a caller that only stops sending is still answered")
    func halfClosed() async throws {
        let (_, ending, far) = try serve(streamingRouter())
        let peer = RawPeer(owning: far)
        try await peer.send(try Frame.request(1, "Echo", "0801"))
        peer.shut(SHUT_WR)
        #expect(try await peer.receive() == Frame(stream: 1, type: .response, payload: bytes(hex: "12020802")))
        #expect(try await peer.receive() == nil)
        #expect(await ending.value == .closedByPeer)
    }

    private func waiting(_ started: Signal, _ cancelled: Signal) -> RPCRouter {
        var router = RPCRouter()
        router.add(service: "test", method: "Wait", .unary { _, _ in
            started.set()
            await Signal.untilCancelled()
            cancelled.set()
            return []
        })
        return router
    }
}
