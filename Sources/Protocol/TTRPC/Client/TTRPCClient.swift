// A ttrpc connection as its caller sees it.

import Linux
import SallyportProtocol

/// Calls over one connection to a ttrpc server. The connection closes when the last reference to the client and to its
/// streams goes, or with `close`. It does not connect again: after the other end has gone every call fails with
/// `.unavailable`.
public final class TTRPCClient: RPCChannel {
    private let connection: ClientConnection

    /// Takes over a connected stream socket.
    /// - Throws: `RPCError` with `.unavailable` if the process cannot wait for it.
    public init(connection descriptor: consuming Descriptor, limits: TTRPCLimits = TTRPCLimits()) throws(RPCError) {
        let loop: EventLoop
        do { loop = try EventLoop.shared() } catch { throw TTRPCEnding(error).unavailable }
        connection = ClientConnection(owning: descriptor, loop: loop, limits: limits)
    }

    /// Connects to the Unix socket at `path`.
    /// - Throws: `RPCError` with `.unavailable` that names the path and what is wrong.
    public convenience init(path: String, limits: TTRPCLimits = TTRPCLimits()) throws(RPCError) {
        let descriptor: Descriptor
        do {
            descriptor = try Descriptor(connectingTo: path)
        } catch {
            throw RPCError(.unavailable, "\(error)")
        }
        try self.init(connection: descriptor, limits: limits)
    }

    public func call(service: String, method: String, request: [UInt8], timeout: Duration?) async throws -> [UInt8] {
        try await call(service: service, method: method, request: request, timeout: timeout, metadata: [:])
    }

    /// As `call(service:method:request:timeout:)`, with metadata for the implementer's `RPCContext`.
    public func call(
        service: String, method: String, request: [UInt8], timeout: Duration?, metadata: [String: String]
    ) async throws -> [UInt8] {
        try await connection.call(
            Ttrpc_Request(service: service, method: method, payload: request, timeout: timeout, metadata: metadata),
            timeout: timeout)
    }

    public func open(service: String, method: String, request: [UInt8]?, timeout: Duration?) async throws -> any RPCStream {
        try await open(service: service, method: method, request: request, timeout: timeout, metadata: [:])
    }

    /// As `open(service:method:request:timeout:)`, with metadata for the implementer's `RPCContext`.
    public func open(
        service: String, method: String, request: [UInt8]?, timeout: Duration?, metadata: [String: String]
    ) async throws -> any RPCStream {
        let message = Ttrpc_Request(
            service: service, method: method, payload: request ?? [], timeout: timeout, metadata: metadata)
        let id = try await connection.open(message, request == nil ? .manyRequests : .oneRequest, timeout: timeout)
        return ClientStream(connection: connection, id: id)
    }

    public func close() async { await connection.end(.stopped) }
}

/// One stream of a client. Dropping it gives the stream up.
private final class ClientStream: RPCStream {
    private let connection: ClientConnection
    private let id: UInt32

    init(connection: ClientConnection, id: UInt32) {
        self.connection = connection
        self.id = id
    }

    deinit {
        Task { [connection, id] in await connection.forget(id) }
    }

    func send(_ message: [UInt8]) async throws { try await connection.send(id, message) }

    func next() async throws -> [UInt8]? { try await connection.next(id) }

    func closeSend() async throws { try await connection.closeSend(id) }

    func cancel() async { await connection.giveUp(id, RPCError(.cancelled, "the stream was cancelled at this end")) }
}
