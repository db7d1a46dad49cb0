// The caller's side: unary calls and streams, by (service, method, bytes).

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
