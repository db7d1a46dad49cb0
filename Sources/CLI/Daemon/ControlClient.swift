// Calls to the daemon, and what to do when they fail.

import ArgumentParser
import Linux
import SallyportProtocol
import SwiftProtobuf
import TTRPC

/// A command that talks to the daemon.
protocol DaemonCommand: AsyncParsableCommand {
    var connection: ConnectionOptions { get }
    func run(_ daemon: ControlClient) async throws
}

extension DaemonCommand {
    mutating func run() async throws {
        let command = self
        try await reportingFailures { try await command.run(ControlClient(path: command.connection.path)) }
    }
}

/// A connection to a daemon's control socket.
struct ControlClient: Sendable {
    private static let service = "sallyport.control.v1.Control"
    /// A daemon that does not answer in this time does not answer at all.
    private static let patience = Duration.seconds(30)

    private let client: TTRPCClient

    /// - Throws: `Failure`.
    init(path: String) throws {
        do {
            client = try TTRPCClient(connection: Descriptor(connectingTo: path))
        } catch let error as SystemCallError {
            throw Failure(ControlClient.explain(error, path), isDaemonAbsent: [ENOENT, ENOTDIR, ECONNREFUSED].contains(error.errno))
        }
    }

    func call<Request: Message, Answer: Message>(_ method: String, _ request: Request) async throws -> Answer {
        do {
            return try await client.call(service: ControlClient.service, method: method, request, timeout: ControlClient.patience)
        } catch let error as RPCError {
            throw Failure(ControlClient.explain(error), isDaemonAbsent: error.code == .unavailable || error.code == .deadlineExceeded)
        }
    }

    /// The messages of a server stream go to `body`, until it returns false.
    func stream<Request: Message, Answer: Message>(
        _ method: String, _ request: Request, of: Answer.Type = Answer.self, _ body: (Answer) throws -> Bool
    ) async throws {
        do {
            let messages = try await client.open(
                service: ControlClient.service, method: method, request, timeout: nil, of: Answer.self)
            for try await message in messages {
                if try !body(message) { break }
            }
        } catch let error as RPCError {
            throw Failure(ControlClient.explain(error))
        }
    }

    private static func explain(_ error: SystemCallError, _ path: String) -> String {
        switch error.errno {
        case ENOENT, ENOTDIR: "there is no socket \(path); is sallyportd running? If it has another socket, give --socket PATH"
        case ECONNREFUSED: "nobody answers on \(path); start sallyportd, or give --socket PATH"
        case EACCES, EPERM: "you may not open \(path); run as root, or join the socket's group for what only reads"
        case EAGAIN: "sallyportd has no room for another connection on \(path); try again"
        default: "\(error)"
        }
    }

    private static func explain(_ error: RPCError) -> String {
        switch error.code {
        case .unavailable: "sallyportd went away: \(error.message)"
        case .unimplemented: "sallyportd does not know this: \(error.message); it may be of another version than this command"
        default: error.message
        }
    }
}
