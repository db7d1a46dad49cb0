// What a method on a server reads from and writes to, and how its kind is run.

/// The implementer's end of a stream.
struct ServerStream: RPCSender, RPCReceiver {
    let connection: ServerConnection
    let id: UInt32

    func send(_ message: [UInt8]) async throws { try await connection.send(id, message) }

    func next() async throws -> [UInt8]? { try await connection.next(id) }
}

extension RPCMethod {
    /// Runs the implementation, whatever its kind.
    /// - Returns: The answer, empty where the kind has none, or what the caller is told instead.
    func run(_ request: [UInt8], _ context: RPCContext, _ stream: ServerStream) async -> Result<[UInt8], RPCError> {
        do {
            switch self {
            case .unary(let body): return .success(try await body(request, context))
            case .serverStream(let body): try await body(request, context, stream)
            case .clientStream(let body): return .success(try await body(stream, context))
            case .bidirectional(let body): try await body(stream, context, stream)
            }
            return .success([])
        } catch let error as RPCError {
            // Success is no failure: an OK thrown would read as one.
            return .failure(error.code == .ok ? RPCError(.unknown, error.message) : error)
        } catch is CancellationError {
            return .failure(RPCError(.cancelled, "the call was cancelled"))
        } catch {
            return .failure(RPCError(.unknown, "\(error)"))
        }
    }
}
