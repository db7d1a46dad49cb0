// Calls of every kind between our client and our server.

import Linux
import Support
import Synchronization
import TTRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct CallTests {
    private let service = "test.Service"

    private func router(_ method: RPCMethod) -> RPCRouter {
        var router = RPCRouter()
        router.add(service: service, method: "Do", method)
        return router
    }

    private func call(_ client: TTRPCClient, _ request: [UInt8] = [], timeout: Duration? = nil) async throws -> [UInt8] {
        try await client.call(service: service, method: "Do", request: request, timeout: timeout)
    }

    @Test("a unary call carries request, metadata and peer there, and the answer back")
    func unary() async throws {
        let client = try connect(router(.unary { request, context in
            #expect(context.metadata == ["user": "ann"])
            #expect(context.peer == RPCPeer(pid: getpid(), uid: getuid(), gid: getgid()))
            #expect(context.deadline != nil)
            return request.reversed()
        }))
        let answer = try await client.call(
            service: service, method: "Do", request: [1, 2, 3], timeout: .seconds(60), metadata: ["user": "ann"])
        #expect(answer == [3, 2, 1])
    }

    @Test("an answer of 4 MiB less its envelope passes, one of more is refused with its length")
    func longAnswer() async throws {
        let client = try connect(router(.unary { request, _ in [UInt8](repeating: 1, count: request.count > 0 ? 4 << 20 : (4 << 20) - 16) }))
        #expect(try await call(client).count == (4 << 20) - 16)
        #expect(await rpcError { _ = try await call(client, [1]) }
            == RPCError(.resourceExhausted, "message length 4194304 exceed maximum message size of 4194304"))
        #expect(await rpcError { _ = try await call(client, [UInt8](repeating: 0, count: 5 << 20)) }?.code == .resourceExhausted)
        #expect(try await call(client).count == (4 << 20) - 16)
    }

    @Test("a method's error arrives with its code and sentence; any other error as unknown")
    func errors() async throws {
        struct Odd: Error, CustomStringConvertible { let description = "the disk is full" }
        let client = try connect(router(.unary { request, _ in
            if request.isEmpty { throw Odd() }
            throw RPCError(.failedPrecondition, "not on a sunday")
        }))
        #expect(await rpcError { _ = try await call(client, [1]) } == RPCError(.failedPrecondition, "not on a sunday"))
        #expect(await rpcError { _ = try await call(client) } == RPCError(.unknown, "the disk is full"))
    }

    @Test("what is not there is unimplemented, by name")
    func unimplemented() async throws {
        let client = try connect(router(.unary { request, _ in request }))
        #expect(await rpcError { _ = try await client.call(service: "no.Such", method: "Do", request: [], timeout: nil) }
            == RPCError(.unimplemented, "service no.Such"))
        #expect(await rpcError { _ = try await client.call(service: service, method: "Undo", request: [], timeout: nil) }
            == RPCError(.unimplemented, "method Undo of service test.Service"))
    }

    @Test("a server stream gives its messages in order, empty ones too, and ends")
    func serverStream() async throws {
        let client = try connect(router(.serverStream { request, _, sender in
            for number in request { try await sender.send([UInt8](repeating: number, count: Int(number))) }
        }))
        let stream = try await client.open(service: service, method: "Do", request: [2, 0, 1], timeout: nil)
        var received: [[UInt8]] = []
        while let message = try await stream.next() { received.append(message) }
        #expect(received == [[2, 2], [], [1]])
        #expect(try await stream.next() == nil)
    }

    @Test("a stream that fails gives what came before, then the error")
    func failingStream() async throws {
        let client = try connect(router(.serverStream { _, _, sender in
            try await sender.send([1])
            throw RPCError(.aborted, "changed underneath")
        }))
        let stream = try await client.open(service: service, method: "Do", request: [], timeout: nil)
        #expect(try await stream.next() == [1])
        #expect(await rpcError { _ = try await stream.next() } == RPCError(.aborted, "changed underneath"))
    }

    @Test("a client stream sends any number of messages and gets one answer")
    func clientStream() async throws {
        let client = try connect(router(.clientStream { receiver, _ in
            var sum: [UInt8] = []
            while let message = try await receiver.next() { sum += message + [0] }
            return sum
        }))
        let stream = try await client.open(service: service, method: "Do", request: nil, timeout: nil)
        for message: [UInt8] in [[1], [], [2, 3]] { try await stream.send(message) }
        try await stream.closeSend()
        #expect(try await stream.next() == [1, 0, 0, 2, 3, 0])
        #expect(try await stream.next() == nil)
        #expect(await rpcError { try await stream.send([1]) }?.code == .failedPrecondition)
    }

    @Test("a bidirectional stream carries both ways at once, and ends when both have")
    func bidirectional() async throws {
        let client = try connect(router(.bidirectional { receiver, _, sender in
            while let message = try await receiver.next() { try await sender.send(message + message) }
            try await sender.send([9])
        }))
        let stream = try await client.open(service: service, method: "Do", request: nil, timeout: nil)
        try await stream.send([1])
        #expect(try await stream.next() == [1, 1])
        try await stream.send([2])
        #expect(try await stream.next() == [2, 2])
        try await stream.closeSend()
        #expect(try await stream.next() == [9])
        #expect(try await stream.next() == nil)
    }

    @Test("1000 calls at once on one connection each get their own answer")
    func concurrent() async throws {
        let together = Mutex(0)
        let all = Signal()
        let client = try connect(router(.unary { request, _ in
            // None is answered before all have arrived.
            if together.withLock({ $0 += 1; return $0 == 1000 }) { all.set() }
            await all.wait()
            return request
        }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                let request = [UInt8(number >> 8), UInt8(number & 255)]
                group.addTask {
                    let answer = try await call(client, request)
                    #expect(answer == request)
                }
            }
            try await group.waitForAll()
        }
    }
}
