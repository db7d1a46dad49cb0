// The control API on its Unix socket (docs/protocol.md, "Control API").

import Linux
import Logging
import Synchronization
import TTRPC

public final class ControlServer: Sendable {
    private let socket: Mutex<SocketFile?>
    private let server: TTRPCServer

    /// Requests are small, but for an object to protect; callers are an operator's commands and watchers.
    private static let limits = TTRPCLimits(openStreams: 16, queuedBytes: 1 << 20, requestBytes: 8 << 20, connections: 64)

    /// Makes the socket: callers may connect from now on, and are answered once `run` is called.
    ///
    /// - Parameters:
    ///   - path: Where. A socket that a dead daemon left is replaced.
    ///   - group: Name or number of the group whose members may make read-only calls; nil for none.
    /// - Throws: `SocketFileError`, with what to do.
    public init(path: String, group: String?, service: any ControlService, logger: Logger) throws(SocketFileError) {
        do throws(SocketFileError.Problem) {
            let group = try group.map { name throws(SocketFileError.Problem) in try groupNumber(name) }
            socket = Mutex(try SocketFile(path: path, group: group))
            let access = ControlAccess(owner: geteuid(), group: group)
            do throws(SystemCallError) {
                server = try TTRPCServer(router: RPCRouter(service, access: access), limits: ControlServer.limits) { event in
                    ControlServer.note(event, logger)
                }
            } catch {
                throw .call(error)
            }
        } catch {
            throw SocketFileError(path: path, problem: error)
        }
    }

    private static func note(_ event: TTRPCServerEvent, _ logger: Logger) {
        switch event {
        case .turnedAway(let peer):
            logger.warning("control-connection-refused", metadata: ["uid": "\(peer?.uid ?? 0)", "limit": "\(limits.connections)"])
        case .acceptFailed(let error):
            logger.warning("control-connection-not-accepted", metadata: ["error": "\(error)"])
        case .refused(let peer, let error):
            logger.notice("control-frame-refused", metadata: ["uid": "\(peer?.uid ?? 0)", "error": "\(error.message)"])
        case .accepted, .ended: break
        }
    }

    /// Serves until `stop`, or until the task is cancelled.
    public func run() async throws {
        guard let listener = socket.withLock({ $0?.listener.take() }) else { return }
        try await server.serve(listening: listener)
    }

    /// Removes the socket, lets calls end that are being answered, for at most `grace`, and closes all connections.
    public func stop(grace: Duration = .seconds(1)) async {
        socket.withLock { $0 = nil }
        await server.stop(grace: grace)
    }

    public var connections: TTRPCServerCounts { get async { await server.counts } }
}
