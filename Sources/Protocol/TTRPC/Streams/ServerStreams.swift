// The server's half of the stream life cycle, without I/O (docs/protocol.md, "Life of a stream").

import SallyportProtocol
import SwiftProtobuf

/// Which streams are open on one connection of a server, and what a frame means to them. Frames go in; what is to
/// be done comes out. A frame that breaks the protocol costs its own stream and nothing else.
package struct ServerStreams: Sendable {
    package enum Effect: Sendable {
        /// Run `method`; its outcome comes back through `finish`.
        case start(UInt32, RPCMethod, Ttrpc_Request)
        /// A message for the method's receiver.
        case deliver(UInt32, [UInt8])
        /// The receiver gets no more messages.
        case endInput(UInt32)
        /// Cancel the method: nobody waits for its outcome.
        case abandon(UInt32)
        /// Send this answer; the error it carries says what was wrong with what was received.
        case refuse(Frame, RPCError)
    }

    private struct Stream {
        let method: RPCMethod
        var inputOpen: Bool
        let requestBytes: Int
        /// False once an answer or a cancel ended it while its method still runs.
        var isOpen = true
    }

    private let limits: TTRPCLimits
    private let router: RPCRouter
    /// Those whose method has not returned: a method that is deaf to cancellation still counts against the limits.
    private var streams: [UInt32: Stream] = [:]
    /// The highest id a request used; ids rise and are never used again.
    private var lastID: UInt32 = 0
    /// Sum of `requestBytes` of `streams`.
    private var requestBytes = 0

    package init(router: RPCRouter, limits: TTRPCLimits) {
        self.router = router
        self.limits = limits
    }

    /// Refuses further requests.
    package var isStopping = false
    /// Whether no method runs.
    package var isIdle: Bool { streams.isEmpty }

    package mutating func receive(_ input: FrameDecoder.Output) -> [Effect] {
        switch input {
        case .oversize(let header):
            if header.type == .request, header.stream > lastID { lastID = header.stream }
            return refuse(header.stream, .tooLong(Int(header.length), limit: limits.messageBytes))
        case .frame(let frame):
            switch frame.type {
            case .request: return request(frame)
            case .data: return data(frame)
            case .cancel: return end(frame.stream) ? [.abandon(frame.stream)] : []
            default: return []
            }
        }
    }

    private mutating func request(_ frame: Frame) -> [Effect] {
        let id = frame.stream
        guard id & 1 == 1 else { return refuse(id, .evenID) }
        guard id > lastID else {
            return refuse(id, RPCError(.invalidArgument, "StreamID cannot be re-used and must increment"))
        }
        lastID = id
        if frame.flags.isSuperset(of: [.remoteClosed, .remoteOpen]) {
            return refuse(id, RPCError(.invalidArgument, "a request cannot be both remote closed and remote open"))
        }
        if isStopping { return refuse(id, RPCError(.unavailable, "the server is stopping")) }
        let request: Ttrpc_Request
        do {
            request = try Ttrpc_Request(serializedBytes: frame.payload)
        } catch {
            return refuse(id, RPCError(.invalidArgument, "unmarshal request error: \(error)"))
        }
        guard streams.count < limits.openStreams else {
            return refuse(id, RPCError(.resourceExhausted, "\(limits.openStreams) streams are open on this connection; wait for one to end"))
        }
        let size = frame.payload.count
        guard streams.isEmpty || requestBytes + size <= limits.requestBytes else {
            return refuse(
                id, RPCError(.resourceExhausted, "requests being worked on hold \(requestBytes) bytes; wait for one to end"))
        }
        do throws(RPCError) {
            let method = try router.find(service: request.service, method: request.method)
            if method.isStream, frame.flags.isDisjoint(with: [.remoteClosed, .remoteOpen]) {
                throw RPCError(.invalidArgument, "method \(request.method) of service \(request.service) is a stream; open it with the flag remote closed or remote open")
            }
            return open(id, method, request, inputOpen: frame.flags.contains(.remoteOpen), size: size)
        } catch {
            return refuse(id, error)
        }
    }

    private mutating func open(
        _ id: UInt32, _ method: RPCMethod, _ request: Ttrpc_Request, inputOpen: Bool, size: Int
    ) -> [Effect] {
        streams[id] = Stream(method: method, inputOpen: inputOpen, requestBytes: size)
        requestBytes += size
        var effects: [Effect] = [.start(id, method, request)]
        guard method.takesStream else { return effects }
        // An empty payload is no first message: a client that streams cannot help sending a request.
        if !request.payload.isEmpty { effects.append(.deliver(id, [UInt8](request.payload))) }
        if !inputOpen { effects.append(.endInput(id)) }
        return effects
    }

    private mutating func data(_ frame: Frame) -> [Effect] {
        let id = frame.stream
        guard id & 1 == 1 else { return refuse(id, .evenID) }
        guard let stream = streams[id], stream.isOpen else {
            return refuse(id, RPCError(.invalidArgument, "StreamID is no longer active"))
        }
        let closes = frame.flags.contains(.remoteClosed)
        let carries = !frame.flags.contains(.noData)
        if !stream.method.isStream {
            return refuse(id, RPCError(.invalidArgument, "a unary call takes no data"))
        }
        if !frame.payload.isEmpty && (closes || !carries) {
            return refuse(id, RPCError(.invalidArgument, "data close message cannot include data"))
        }
        if carries && !stream.inputOpen {
            return refuse(id, RPCError(.invalidArgument, "data handling error: ttrpc: stream closed"))
        }
        if carries && !stream.method.takesStream && !closes {
            return refuse(id, RPCError(.invalidArgument, "the method takes one message, in the request"))
        }
        guard stream.method.takesStream, stream.inputOpen else { return [] }
        var effects: [Effect] = carries ? [.deliver(id, frame.payload)] : []
        if closes {
            streams[id]?.inputOpen = false
            effects.append(.endInput(id))
        }
        return effects
    }

    /// Answers with `error`, and ends the stream if there is one.
    private mutating func refuse(_ id: UInt32, _ error: RPCError) -> [Effect] {
        let answer = Effect.refuse(.response(id, error), error)
        return end(id) ? [.abandon(id), answer] : [answer]
    }

    /// - Returns: Whether it was open.
    private mutating func end(_ id: UInt32) -> Bool {
        guard streams[id]?.isOpen == true else { return false }
        streams[id]?.isOpen = false
        return true
    }

    /// The frame that carries a message of the method.
    package func message(_ id: UInt32, _ bytes: [UInt8]) throws(RPCError) -> Frame {
        guard streams[id]?.isOpen == true else { throw .callEnded }
        guard bytes.count <= limits.messageBytes else { throw .tooLong(bytes.count, limit: limits.messageBytes) }
        return Frame(stream: id, type: .data, payload: bytes)
    }

    /// Ends a stream whose method still runs.
    /// - Returns: The frame that says so; nil if it has ended already.
    package mutating func fail(_ id: UInt32, _ error: RPCError) -> Frame? { end(id) ? .response(id, error) : nil }

    /// The method of a stream has returned.
    /// - Returns: The frame that ends the stream; nil if it has ended already.
    package mutating func finish(_ id: UInt32, _ outcome: Result<[UInt8], RPCError>) -> Frame? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        requestBytes -= stream.requestBytes
        guard stream.isOpen else { return nil }
        switch outcome {
        case .failure(let error): return .response(id, error)
        case .success where stream.method.givesStream: return Frame(stream: id, type: .data, flags: [.remoteClosed, .noData])
        case .success(let payload): return .response(id, payload: payload, limit: limits.messageBytes)
        }
    }
}

extension RPCError {
    fileprivate static let evenID = RPCError(.invalidArgument, "StreamID must be odd for client initiated streams")
    /// What a method gets that still reads or writes after its caller has gone, cancelled, or broken the protocol.
    package static let callEnded = RPCError(.cancelled, "the caller no longer waits for this call")
}
