// The client's half of the stream life cycle, without I/O (docs/protocol.md, "Life of a stream").

import SallyportProtocol
import SwiftProtobuf

/// Which streams are open on one connection of a client, and what a frame means to them.
package struct ClientStreams: Sendable {
    /// How a stream begins, by the flags of its request.
    package enum Opening: Sendable { case unary, oneRequest, manyRequests }

    package enum Effect: Equatable, Sendable {
        /// A message for the caller.
        case deliver(UInt32, [UInt8])
        /// The stream is over, well if there is no error.
        case end(UInt32, RPCError?)
    }

    private struct Stream {
        let isUnary: Bool
        var outputOpen: Bool
    }

    private let limits: TTRPCLimits
    private var streams: [UInt32: Stream] = [:]
    /// Nil once all 2^31 ids are used up.
    private var nextID: UInt32?

    package init(limits: TTRPCLimits, firstID: UInt32 = 1) {
        self.limits = limits
        nextID = firstID | 1
    }

    /// Takes the next id for a call.
    /// - Throws: `RPCError` if the request is too long, or if this connection has no id left.
    package mutating func open(_ request: Ttrpc_Request, _ opening: Opening) throws(RPCError) -> Frame {
        guard let id = nextID else {
            throw RPCError(.unavailable, "this connection has used up its stream ids; connect again")
        }
        let bytes: [UInt8]
        do {
            bytes = try request.serializedBytes()
        } catch {
            throw RPCError(.invalidArgument, "the request cannot be encoded: \(error)")
        }
        guard bytes.count <= limits.messageBytes else { throw .tooLong(bytes.count, limit: limits.messageBytes) }
        let (following, overflow) = id.addingReportingOverflow(2)
        nextID = overflow ? nil : following
        streams[id] = Stream(isUnary: opening == .unary, outputOpen: opening == .manyRequests)
        let flags: FrameFlags =
            switch opening {
            case .unary: []
            case .oneRequest: .remoteClosed
            case .manyRequests: .remoteOpen
            }
        return Frame(stream: id, type: .request, flags: flags, payload: bytes)
    }

    package mutating func receive(_ input: FrameDecoder.Output) -> [Effect] {
        switch input {
        case .oversize(let header):
            return end(header.stream, .tooLong(Int(header.length), limit: limits.messageBytes))
        case .frame(let frame):
            // An id that is not open: a late answer to a call that was given up.
            guard let stream = streams[frame.stream] else { return [] }
            switch frame.type {
            case .response: return response(frame)
            case .data: return data(frame, stream)
            default: return []
            }
        }
    }

    private mutating func response(_ frame: Frame) -> [Effect] {
        guard let response = try? Ttrpc_Response(serializedBytes: frame.payload) else {
            return end(frame.stream, RPCError(.internal, "the response is no ttrpc.Response message"))
        }
        switch response.outcome {
        case .success(let payload): return [.deliver(frame.stream, payload)] + end(frame.stream, nil)
        case .failure(let error): return end(frame.stream, error)
        }
    }

    private mutating func data(_ frame: Frame, _ stream: Stream) -> [Effect] {
        if stream.isUnary {
            return end(frame.stream, RPCError(.internal, "stream data came in answer to a unary call"))
        }
        let message: [Effect] = frame.flags.contains(.noData) ? [] : [.deliver(frame.stream, frame.payload)]
        return frame.flags.contains(.remoteClosed) ? message + end(frame.stream, nil) : message
    }

    private mutating func end(_ id: UInt32, _ error: RPCError?) -> [Effect] {
        streams.removeValue(forKey: id) == nil ? [] : [.end(id, error)]
    }

    /// The frame that carries a message of the caller.
    package func message(_ id: UInt32, _ bytes: [UInt8]) throws(RPCError) -> Frame {
        guard let stream = streams[id] else { throw RPCError(.failedPrecondition, "the stream has ended") }
        guard stream.outputOpen else { throw RPCError(.failedPrecondition, "this side of the stream is closed") }
        guard bytes.count <= limits.messageBytes else { throw .tooLong(bytes.count, limit: limits.messageBytes) }
        return Frame(stream: id, type: .data, payload: bytes)
    }

    /// The frame that ends the caller's messages; nil if they have ended.
    package mutating func closeSend(_ id: UInt32) -> Frame? {
        guard streams[id]?.outputOpen == true else { return nil }
        streams[id]?.outputOpen = false
        return Frame(stream: id, type: .data, flags: [.remoteClosed, .noData])
    }

    /// The frames that tell the server that nobody waits any more; none if the stream has ended.
    package mutating func giveUp(_ id: UInt32) -> [Frame] {
        // A server that does not know the cancel frame at least sees the input end.
        let closing = closeSend(id).map { [$0] } ?? []
        guard streams.removeValue(forKey: id) != nil else { return [] }
        return closing + [Frame(stream: id, type: .cancel)]
    }
}
