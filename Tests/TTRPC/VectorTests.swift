// Exchanges captured from the Go implementation (ttrpc 1.2), byte for byte, and ours where its answer is a defect.

import Linux
import SallyportProtocol
import Support
import TTRPC
import Testing

@Suite(.timeLimit(.minutes(1))) struct VectorTests {
    enum Step {
        case send([UInt8])
        /// Stream, type, flags and data in hex.
        case expect(UInt32, FrameType, FrameFlags, String)
        /// An error response whose message begins so.
        case refuse(UInt32, RPCCode, String)
    }

    /// Plays the steps, then checks that the connection still answers and that nothing came besides.
    private func play(_ steps: [Step], sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let peer = RawPeer(owning: try serve(streamingRouter()).far)
        let last: [Step] = [.send(try Frame.request(9999, "Echo", "0801")), .expect(9999, .response, [], "12020802")]
        for step in steps + last {
            switch step {
            case .send(let bytes): try await peer.send(bytes)
            case .expect(let stream, let type, let flags, let data):
                let frame = Frame(stream: stream, type: type, flags: flags, payload: bytes(hex: data))
                #expect(try await peer.receive() == frame, sourceLocation: sourceLocation)
            case .refuse(let stream, let code, let message):
                let frame = try #require(try await peer.receive(), sourceLocation: sourceLocation)
                #expect(frame.stream == stream && frame.type == .response, "\(frame)", sourceLocation: sourceLocation)
                let outcome = try Ttrpc_Response(serializedBytes: frame.payload).outcome
                guard case .failure(let error) = outcome, error.code == code, error.message.hasPrefix(message) else {
                    Issue.record("\(outcome)", sourceLocation: sourceLocation)
                    continue
                }
            }
        }
    }

    private let close: FrameFlags = [.remoteClosed, .noData]

    @Test("a unary call, byte for byte")
    func unary() async throws {
        try await play([
            .send(bytes(hex: "000000340000000101000a2574747270632e696e746567726174696f6e2e73747265616d696e672e53747265616d696e6712044563686f1a050801120161")),
            .expect(1, .response, [], "12050802120161"),
        ])
    }

    @Test("a bidirectional stream, byte for byte")
    func bidirectional() async throws {
        try await play([
            .send(bytes(hex: "000000330000000101020a2574747270632e696e746567726174696f6e2e73747265616d696e672e53747265616d696e67120a4563686f53747265616d")),
            .send(bytes(hex: "000000050000000103000801120178")),
            .expect(1, .data, [], "0802120178"),
            .send(bytes(hex: "000000050000000103000802120178")),
            .expect(1, .data, [], "0803120178"),
            .send(bytes(hex: "00000000000000010305")),
            .expect(1, .data, close, ""),
        ])
    }

    @Test("a server stream, byte for byte")
    func serverStream() async throws {
        try await play([
            .send(bytes(hex: "0000003b0000000101010a2574747270632e696e746567726174696f6e2e73747265616d696e672e53747265616d696e67120c44697669646553747265616d1a0408061002")),
            .expect(1, .data, [], "0803"), .expect(1, .data, [], "0803"), .expect(1, .data, close, ""),
        ])
    }

    @Test("a client stream is answered once, when it closes")
    func clientStream() async throws {
        try await play([
            .send(try Frame.request(1, "SumStream", flags: .remoteOpen)),
            .send(Frame.data(1, "0803")), .send(Frame.data(1, "0804")), .send(Frame.data(1, flags: close)),
            .expect(1, .response, [], "120408071002"),
        ])
    }

    @Test("data of length zero is an empty message unless flagged as none, also when it closes")
    func emptyMessages() async throws {
        try await play([
            .send(try Frame.request(1, "SumStream", flags: .remoteOpen)),
            .send(Frame.data(1)), .send(Frame.data(1, flags: close)),
            .expect(1, .response, [], "12021001"),
            .send(try Frame.request(3, "SumStream", flags: .remoteOpen)),
            .send(Frame.data(3, flags: .remoteClosed)),
            .expect(3, .response, [], "12021001"),
        ])
    }

    // The Go server answers such a stream twice.
    @Test("data that closes and carries is refused, once")
    func closeWithData() async throws {
        try await play([
            .send(try Frame.request(1, "SumStream", flags: .remoteOpen)),
            .send(Frame.data(1, "0803", flags: .remoteClosed)),
            .expect(1, .response, [], "0a2a080312266461746120636c6f7365206d6573736167652063616e6e6f7420696e636c7564652064617461"),
            .send(try Frame.request(3, "Echo", "0801120161")),
            .expect(3, .response, [], "12050802120161"),
        ])
    }

    // The Go server sends a close after the error.
    @Test("data after the close is refused, and ends the stream")
    func dataAfterClose() async throws {
        try await play([
            .send(try Frame.request(1, "EchoStream", flags: .remoteOpen) + Frame.data(1, flags: close) + Frame.data(1, "0801")),
            .expect(1, .response, [], "0a2d08031229646174612068616e646c696e67206572726f723a2074747270633a2073747265616d20636c6f736564"),
        ])
    }

    @Test("data on a stream that is not there is refused")
    func unknownStream() async throws {
        try await play([
            .send(Frame.data(7, "0801")),
            .expect(7, .response, [], "0a200803121c53747265616d4944206973206e6f206c6f6e67657220616374697665"),
        ])
    }

    // The Go server never answers.
    @Test("a request that is both closed and open is refused")
    func contradictoryFlags() async throws {
        try await play([
            .send(try Frame.request(1, "EchoStream", flags: [.remoteClosed, .remoteOpen])),
            .refuse(1, .invalidArgument, "a request cannot be both remote closed and remote open"),
        ])
    }

    // For the second the Go server never answers.
    @Test("a unary method may be opened as a stream; a stream called as unary is refused")
    func wrongKind() async throws {
        try await play([
            .send(try Frame.request(1, "Echo", "0801", flags: .remoteOpen)),
            .expect(1, .response, [], "12020802"),
            .send(try Frame.request(3, "EchoStream", "0801")),
            .refuse(3, .invalidArgument, "method EchoStream of service ttrpc.integration.streaming.Streaming is a stream"),
        ])
    }

    @Test("ids must be odd, rise, and are not used again")
    func ids() async throws {
        let reused = "0a310803122d53747265616d49442063616e6e6f742062652072652d7573656420616e64206d75737420696e6372656d656e74"
        try await play([
            .send(try Frame.request(5, "Echo", "0801")), .expect(5, .response, [], "12020802"),
            .send(try Frame.request(5, "Echo", "0801")), .expect(5, .response, [], reused),
            .send(try Frame.request(3, "Echo", "0801")), .expect(3, .response, [], reused),
            .send(try Frame.request(0, "Echo", "0801")),
            .expect(0, .response, [], "0a350803123153747265616d4944206d757374206265206f646420666f7220636c69656e7420696e697469617465642073747265616d73"),
        ])
    }

    @Test("a frame longer than 4 MiB is answered and the connection lives on")
    func oversize() async throws {
        try await play([
            .send(Frame(stream: 1, type: .request, payload: [UInt8](repeating: 0, count: (4 << 20) + 1)).encoded),
            .expect(1, .response, [], "0a410808123d6d657373616765206c656e677468203431393433303520657863656564206d6178696d756d206d6573736167652073697a65206f662034313934333034"),
            .send(try Frame.request(3, "Echo", "0801")), .expect(3, .response, [], "12020802"),
        ])
    }

    @Test("4 MiB of garbage are read and refused")
    func garbage() async throws {
        try await play([
            .send(Frame(stream: 1, type: .request, payload: [UInt8](repeating: 0xff, count: 4 << 20)).encoded),
            .refuse(1, .invalidArgument, "unmarshal request error: "),
        ])
    }

    // The Go server dereferences nil and exits.
    @Test("data on a unary call that runs is refused and cancels it")
    func dataOnUnary() async throws {
        let cancelled = Signal()
        let peer = RawPeer(owning: try serve(streamingRouter(onCancel: cancelled)).far)
        try await peer.send(try Frame.request(1, "Wait") + Frame.data(1, "0801"))
        let answer = try #require(try await peer.receive())
        #expect(try Ttrpc_Response(serializedBytes: answer.payload).outcome
            == .failure(RPCError(.invalidArgument, "a unary call takes no data")))
        await cancelled.wait()
        try await peer.send(try Frame.request(3, "Echo", "0801"))
        #expect(try await peer.receive()?.stream == 3)
    }

    @Test("a negative timeout, one of 292 years, and metadata without key or value are all taken")
    func oddEnvelopes() async throws {
        var request = Ttrpc_Request()
        request.service = streamingService
        request.method = "Echo"
        request.payload = .init([8, 1])
        request.metadata = [Ttrpc_KeyValue(), Ttrpc_KeyValue()]
        try await play([
            .send(try Frame.request(1, "Echo", "0801", timeout: -1)), .expect(1, .response, [], "12020802"),
            .send(try Frame.request(3, "Echo", "0801", timeout: .max)), .expect(3, .response, [], "12020802"),
            .send(Frame(stream: 5, type: .request, payload: try request.serializedBytes()).encoded),
            .expect(5, .response, [], "12020802"),
        ])
    }

    @Test("an empty request names no service")
    func emptyRequest() async throws {
        try await play([
            .send(Frame(stream: 1, type: .request).encoded),
            .expect(1, .response, [], "0a0c080c12087365727669636520"),
        ])
    }

    @Test("a frame of a type from the future is ignored")
    func unknownType() async throws {
        try await play([.send(Frame(stream: 1, type: FrameType(rawValue: 77), payload: [1, 2, 3]).encoded)])
    }
}
