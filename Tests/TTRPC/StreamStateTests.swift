// The state machines of streams, without sockets: what only they can show.

import SallyportProtocol
import TTRPC
import Testing

@Suite struct StreamStateTests {
    private func request(_ id: UInt32, size: Int = 0, flags: FrameFlags = []) throws -> FrameDecoder.Output {
        let message = Ttrpc_Request(
            service: "test", method: "Do", payload: [UInt8](repeating: 1, count: size), timeout: nil, metadata: [:])
        return .frame(Frame(stream: id, type: .request, flags: flags, payload: try message.serializedBytes()))
    }

    private func server(_ limits: TTRPCLimits) -> ServerStreams {
        var router = RPCRouter()
        router.add(service: "test", method: "Do", .unary { _, _ in [] })
        return ServerStreams(router: router, limits: limits)
    }

    private func refusal(_ effects: [ServerStreams.Effect]) -> RPCCode? {
        for case .refuse(_, let error) in effects { return error.code }
        return nil
    }

    @Test("a method that is deaf to its cancellation counts until it returns")
    func deafMethods() throws {
        var streams = server(TTRPCLimits(openStreams: 1))
        #expect(refusal(streams.receive(try request(1))) == nil)
        guard case .abandon(1)? = streams.receive(.frame(Frame(stream: 1, type: .cancel))).first else {
            Issue.record("the cancel frame did not end the stream")
            return
        }
        #expect(refusal(streams.receive(try request(3))) == .resourceExhausted)
        #expect(streams.finish(1, .success([])) == nil)
        #expect(refusal(streams.receive(try request(5))) == nil)
    }

    @Test("requests being worked on are bounded in bytes; a single one may be longer")
    func requestBytes() throws {
        var streams = server(TTRPCLimits(requestBytes: 1000))
        #expect(refusal(streams.receive(try request(1, size: 2000))) == nil)
        #expect(refusal(streams.receive(try request(3))) == .resourceExhausted)
        #expect(streams.finish(1, .success([7]))?.type == .response)
        #expect(refusal(streams.receive(try request(5, size: 400))) == nil)
        #expect(refusal(streams.receive(try request(7, size: 400))) == nil)
        #expect(refusal(streams.receive(try request(9, size: 400))) == .resourceExhausted)
    }

    @Test("a stream ends once: what its method gives later goes nowhere")
    func endsOnce() throws {
        var streams = server(TTRPCLimits())
        _ = streams.receive(try request(1))
        #expect(streams.fail(1, RPCError(.deadlineExceeded, "late")) != nil)
        #expect(streams.fail(1, RPCError(.deadlineExceeded, "late")) == nil)
        #expect(streams.finish(1, .success([])) == nil)
        #expect(streams.isIdle)
    }

    @Test("a client uses odd rising ids up to the last, and then says that they are used up")
    func lastID() throws {
        var streams = ClientStreams(limits: TTRPCLimits(), firstID: .max - 2)
        #expect(try streams.open(Ttrpc_Request(), .unary).stream == .max - 2)
        #expect(try streams.open(Ttrpc_Request(), .unary).stream == .max)
        #expect(throws: RPCError(.unavailable, "this connection has used up its stream ids; connect again")) {
            try streams.open(Ttrpc_Request(), .unary)
        }
    }

    @Test("answers that break the protocol fail their own call only")
    func clientSide() throws {
        var streams = ClientStreams(limits: TTRPCLimits())
        let ids = try (0..<4).map { _ in try streams.open(Ttrpc_Request(), .unary).stream }
        let answers: [FrameDecoder.Output] = [
            .frame(Frame(stream: ids[0], type: .response, payload: [0xff])),
            .frame(Frame(stream: ids[1], type: .data, payload: [1])),
            .oversize(FrameHeader(length: 5 << 20, stream: ids[2], type: .response, flags: [])),
        ]
        let codes = answers.flatMap { streams.receive($0) }.map { effect -> RPCCode? in
            if case .end(_, let error) = effect { return error?.code }
            return nil
        }
        #expect(codes == [.internal, .internal, .resourceExhausted])
        // Late answers, answers to nothing, and frames of unknown types change nothing.
        for stream in ids[..<3] + [0, 2, 99] {
            #expect(streams.receive(.frame(Frame(stream: stream, type: .response))).isEmpty)
        }
        #expect(streams.receive(.frame(Frame(stream: ids[3], type: FrameType(rawValue: 9)))).isEmpty)
        #expect(streams.receive(.frame(.response(ids[3], payload: [5], limit: 100))) == [.deliver(ids[3], [5]), .end(ids[3], nil)])
    }

    @Test("an unknown status code is unknown, with its message")
    func unknownCode() throws {
        var response = Ttrpc_Response()
        response.status.code = 4711
        response.status.message = "from the future"
        #expect(response.outcome == .failure(RPCError(.unknown, "from the future")))
    }

    @Test("timers come out in order, cancelled ones never, and leave nothing behind")
    func timers() {
        var timers = TimerQueue<Int>()
        let ids = [5, 3, 9, 1, 7].map { timers.add(UInt64($0), $0) }
        timers.cancel(ids[1])
        #expect(timers.next == 1)
        #expect(timers.due(6) == [1, 5])
        #expect(timers.due(6) == [])
        for number in 0..<10_000 { timers.cancel(timers.add(UInt64(number), number)) }
        #expect(timers.count == 2)
        #expect(timers.due(.max) == [7, 9])
        #expect(timers.next == nil)
    }
}
