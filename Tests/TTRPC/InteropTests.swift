// Calls between this implementation and the Go one that Debian packages (1.1, unary only), both ways round.

import Foundation
import Linux
import SallyportProtocol
import Support
import TTRPC
import Testing

@Suite(
    .timeLimit(.minutes(5)),
    .enabled(if: GoPeer.isThere, "needs golang-go and golang-github-containerd-ttrpc-dev (scripts/packages)"))
struct InteropTests {
    private let service = "interop.Text"

    @Test("a Go client's calls are answered by our server, and ours by a Go server")
    func bothWays() async throws {
        // One test, for building the program is most of its time.
        let peer = try await GoPeer()
        try await goClient(peer)
        try await goServer(peer)
    }

    private func goClient(_ peer: GoPeer) async throws {
        let server = try TTRPCServer(router: textRouter)
        let listener = try Descriptor(listeningAt: peer.socket).release()
        let serving = Task { try await server.serve(listening: Descriptor(owning: listener)) }
        let output = try await peer.run("client")
        #expect(output.split(separator: "\n") == [
            "Reverse desserts",
            "Reverse nothing 0",
            "Fail FailedPrecondition: not on a sunday",
            "Missing Unimplemented: method Missing of service interop.Text",
            "Metadata ann",
            "Wait DeadlineExceeded",
            // 5 MiB in a field of 5 bytes, in another of 5, beside the service (14) and the method (9).
            "Oversize ResourceExhausted: message length 5242913 exceed maximum message size of 4194304",
            "Long 4194204",
            "Concurrent 500",
        ])
        await server.stop()
        try await serving.value
        unlink(peer.socket)
    }

    private func goServer(_ peer: GoPeer) async throws {
        let (process, input) = try await peer.start("server")
        let client = try TTRPCClient(path: peer.socket)
        let call = { @Sendable (method: String, value: String, timeout: Duration?) async throws -> String in
            let answer = try await client.call(
                service: "interop.Text", method: method, request: encode(value), timeout: timeout, metadata: ["user": "ann"])
            return try decode(answer)
        }
        #expect(try await call("Reverse", "stressed", nil) == "desserts")
        #expect(try await call("Reverse", "", nil) == "")
        #expect(try await call("Metadata", "user", nil) == "ann")
        #expect(await rpcError { _ = try await call("Fail", "not on a sunday", nil) }
            == RPCError(.failedPrecondition, "not on a sunday"))
        #expect(await rpcError { _ = try await call("Missing", "", nil) }?.code == .unimplemented)
        #expect(await rpcError { _ = try await call("Wait", "", .milliseconds(50)) }?.code == .deadlineExceeded)
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in 100..<600 { group.addTask { try await call("Reverse", "\(number)", nil) } }
            var answers: Set<String> = []
            for try await answer in group { answers.insert(answer) }
            #expect(answers == Set((100..<600).map { String("\($0)".reversed()) }))
        }
        // A server that knows no streams answers their request as a call; the answer is the stream's only message.
        let stream = try await client.open(service: service, method: "Reverse", request: encode("ab"), timeout: nil)
        #expect(try await decode(stream.next() ?? []) == "ba")
        #expect(try await stream.next() == nil)
        // The cancel frame, which it does not know, must not disturb it.
        let waiting = try await client.open(service: service, method: "Wait", request: encode(""), timeout: nil)
        await waiting.cancel()
        #expect(try await call("Reverse", "ok", nil) == "ko")
        try input.close()
        await process.ended.wait()
        #expect(await rpcError { _ = try await call("Reverse", "gone", nil) }?.code == .unavailable)
    }

    /// interop.Text in Swift, as main.go has it in Go.
    private var textRouter: RPCRouter {
        var router = RPCRouter()
        router.add(service: service, method: "Reverse", .unary { request, _ in
            encode(String(try decode(request).reversed()))
        })
        router.add(service: service, method: "Fail", .unary { request, _ in
            throw RPCError(.failedPrecondition, try decode(request))
        })
        router.add(service: service, method: "Metadata", .unary { request, context in
            encode(context.metadata[try decode(request)] ?? "")
        })
        router.add(service: service, method: "Wait", .unary { _, _ in
            await Signal.untilCancelled()
            return []
        })
        return router
    }
}

/// `message Text { string value = 1; }` has the shape of ttrpc.KeyValue without its second field.
private func encode(_ value: String) -> [UInt8] {
    var text = Ttrpc_KeyValue()
    text.key = value
    return (try? text.serializedBytes()) ?? []
}

private func decode(_ bytes: [UInt8]) throws -> String { try Ttrpc_KeyValue(serializedBytes: bytes).key }
