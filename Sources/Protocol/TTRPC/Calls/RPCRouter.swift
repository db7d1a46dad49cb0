// Which implementation answers which service and method.

/// One method, as its implementer writes it. Payloads are protobuf messages, encoded.
public enum RPCMethod: Sendable {
    case unary(@Sendable (_ request: [UInt8], RPCContext) async throws -> [UInt8])
    case serverStream(@Sendable (_ request: [UInt8], RPCContext, RPCSender) async throws -> Void)
    case clientStream(@Sendable (RPCReceiver, RPCContext) async throws -> [UInt8])
    case bidirectional(@Sendable (RPCReceiver, RPCContext, RPCSender) async throws -> Void)
}

extension RPCMethod {
    /// Whether a call of it is anything but one message each way.
    package var isStream: Bool { if case .unary = self { false } else { true } }
    /// Whether the caller sends any number of messages.
    package var takesStream: Bool {
        switch self {
        case .unary, .serverStream: false
        case .clientStream, .bidirectional: true
        }
    }
    /// Whether the method sends any number of messages.
    package var givesStream: Bool {
        switch self {
        case .unary, .clientStream: false
        case .serverStream, .bidirectional: true
        }
    }
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
