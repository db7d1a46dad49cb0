// How a call fails: a gRPC status code and one sentence.

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
