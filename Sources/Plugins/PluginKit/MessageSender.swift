// The typed end of a server stream.

import SwiftProtobuf

/// Sends the messages of one watch.
public struct MessageSender<Event: Message>: Sendable {
    private let sendOne: @Sendable (Event) async throws -> Void

    /// A sender that hands each message to `send`: for tests of a plugin without a host.
    public init(_ send: @escaping @Sendable (Event) async throws -> Void) { sendOne = send }

    /// Waits while the host does not read.
    /// - Throws: `RPCError` with `.cancelled` once the host no longer wants the stream, `.resourceExhausted` for a
    ///   message over 4 MiB: split it (`PolicyEvent.batch`).
    public func send(_ event: Event) async throws { try await sendOne(event) }
}
