// The surface of the module: calls by (service, method, bytes), from either side.

import SallyportProtocol

/// The outcome of a call that failed: a gRPC status code and one sentence.
public struct RPCError: Error, Equatable, Sendable, CustomStringConvertible {
    public var code: RPCCode
    public var message: String

    public init(_ code: RPCCode, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code): \(message)" }
}

/// gRPC status codes (https://grpc.io/docs/guides/status-codes/).
public enum RPCCode: Int32, Sendable {
    case ok = 0, cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
    case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, `internal`, unavailable
    case dataLoss, unauthenticated
}

/// What a call carries besides its bytes.
public struct RPCContext: Sendable {
    public var metadata: [String: String]
    /// `clock_gettime(CLOCK_MONOTONIC)` nanoseconds after which the caller no longer waits; nil for never.
    public var deadline: UInt64?
    /// Who is at the other end of a Unix socket (SO_PEERCRED); nil where there is none.
    public var peer: RPCPeer?

    public init(metadata: [String: String] = [:], deadline: UInt64? = nil, peer: RPCPeer? = nil) {
        self.metadata = metadata
        self.deadline = deadline
        self.peer = peer
    }
}

public struct RPCPeer: Sendable, Equatable {
    public var pid: Int32
    public var uid: UInt32
    public var gid: UInt32

    public init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }
}

/// One method, as its implementer writes it. Payloads are protobuf messages, encoded.
public enum RPCMethod: Sendable {
    case unary(@Sendable (_ request: [UInt8], RPCContext) async throws -> [UInt8])
    case serverStream(@Sendable (_ request: [UInt8], RPCContext, RPCSender) async throws -> Void)
    case clientStream(@Sendable (RPCReceiver, RPCContext) async throws -> [UInt8])
    case bidirectional(@Sendable (RPCReceiver, RPCContext, RPCSender) async throws -> Void)
}

/// The methods of one or more services, by "package.Service" and "Method".
public struct RPCRouter: Sendable {
    private var methods: [String: [String: RPCMethod]] = [:]

    public init() {}

    public mutating func add(service: String, method: String, _ implementation: RPCMethod) {
        methods[service, default: [:]][method] = implementation
    }

    /// - Throws: `RPCError` with `.unimplemented`, naming what is not there.
    public func find(service: String, method: String) throws(RPCError) -> RPCMethod {
        guard let service_ = methods[service] else { throw RPCError(.unimplemented, "service \(service)") }
        guard let found = service_[method] else { throw RPCError(.unimplemented, "method \(method) of service \(service)") }
        return found
    }
}

/// Sends messages of a stream, one at a time; waits while the other end does not read.
public protocol RPCSender: Sendable {
    /// - Throws: `RPCError` once the stream is closed, cancelled or past its deadline.
    func send(_ message: [UInt8]) async throws
}

/// The messages that arrive on a stream; ends when the other end closes its side.
public protocol RPCReceiver: Sendable {
    /// - Returns: The next message, or nil after the last.
    /// - Throws: `RPCError` if the stream failed.
    func next() async throws -> [UInt8]?
}

/// The caller's end of a stream.
public protocol RPCStream: RPCSender, RPCReceiver {
    /// No more messages will be sent from here.
    func closeSend() async throws
    /// Gives the stream up. `next()` then throws `.cancelled`.
    func cancel() async
}

/// Something that calls can be made on: a ttrpc connection, or a plugin in this process.
public protocol RPCChannel: Sendable {
    /// - Parameter timeout: nil waits for ever.
    /// - Throws: `RPCError`; `.deadlineExceeded` after `timeout`, `.unavailable` if the other end has gone.
    func call(service: String, method: String, request: [UInt8], timeout: Duration?) async throws -> [UInt8]
    /// Opens a stream. A server stream's one request is given here and the sending side closed at once;
    /// with nil the caller sends its messages and closes.
    func open(service: String, method: String, request: [UInt8]?, timeout: Duration?) async throws -> any RPCStream
    /// Ends the channel and everything open on it.
    func close() async
}
