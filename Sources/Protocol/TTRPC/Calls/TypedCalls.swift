// Calls and methods with protobuf messages in place of bytes.

import SwiftProtobuf

extension RPCChannel {
    /// Calls a unary method.
    /// - Throws: `RPCError`; `.internal` if the answer is no `Answer`.
    public func call<Request: Message, Answer: Message>(
        service: String, method: String, _ request: Request, timeout: Duration?, as: Answer.Type = Answer.self
    ) async throws -> Answer {
        try decode(await call(service: service, method: method, request: encode(request), timeout: timeout))
    }

    /// Opens a server stream.
    public func open<Request: Message, Answer: Message>(
        service: String, method: String, _ request: Request, timeout: Duration?, of: Answer.Type = Answer.self
    ) async throws -> RPCMessages<Answer> {
        RPCMessages(try await open(service: service, method: method, request: encode(request), timeout: timeout))
    }
}

/// The messages of a stream, decoded. Dropping the last copy of a stream that was opened gives it up.
public struct RPCMessages<Element: Message>: AsyncSequence, AsyncIteratorProtocol, Sendable {
    private let receiver: any RPCReceiver

    public init(_ receiver: any RPCReceiver) { self.receiver = receiver }

    /// - Throws: `RPCError`; `.internal` if a message is no `Element`.
    public func next() async throws -> Element? {
        guard let bytes = try await receiver.next() else { return nil }
        return try decode(bytes)
    }

    public func makeAsyncIterator() -> RPCMessages { self }
}

/// Sends a stream's messages, encoded.
public struct RPCMessageSender<Element: Message>: Sendable {
    private let sender: any RPCSender

    public init(_ sender: any RPCSender) { self.sender = sender }

    public func send(_ message: Element) async throws { try await sender.send(encode(message)) }
}

extension RPCRouter {
    /// Adds a unary method. A request that is no `Request` is answered `.invalidArgument`.
    public mutating func addUnary<Request: Message, Answer: Message>(
        service: String, method: String, _ body: @escaping @Sendable (Request, RPCContext) async throws -> Answer
    ) {
        add(service: service, method: method, .unary { bytes, context in
            try encode(await body(decodeRequest(bytes), context))
        })
    }

    /// Adds a method that answers with a stream. A request that is no `Request` is answered `.invalidArgument`.
    public mutating func addServerStream<Request: Message, Answer: Message>(
        service: String, method: String,
        _ body: @escaping @Sendable (Request, RPCContext, RPCMessageSender<Answer>) async throws -> Void
    ) {
        add(service: service, method: method, .serverStream { bytes, context, sender in
            try await body(decodeRequest(bytes), context, RPCMessageSender(sender))
        })
    }
}

private func encode(_ message: some Message) throws(RPCError) -> [UInt8] {
    do {
        return try message.serializedBytes()
    } catch {
        throw RPCError(.internal, "a \(type(of: message).protoMessageName) message cannot be encoded: \(error)")
    }
}

private func decode<Element: Message>(_ bytes: [UInt8]) throws(RPCError) -> Element {
    do {
        return try Element(serializedBytes: bytes)
    } catch {
        throw RPCError(.internal, "the answer is no \(Element.protoMessageName) message")
    }
}

private func decodeRequest<Request: Message>(_ bytes: [UInt8]) throws(RPCError) -> Request {
    do {
        return try Request(serializedBytes: bytes)
    } catch {
        throw RPCError(.invalidArgument, "the request is no \(Request.protoMessageName) message")
    }
}
