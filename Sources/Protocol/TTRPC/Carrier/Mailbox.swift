// The messages of one stream that have arrived and wait to be read, or the reader that waits for them.

/// One stream's incoming side.
struct Mailbox {
    typealias Reader = CheckedContinuation<[UInt8]?, any Error>

    private enum State {
        case open
        /// No more messages will come; nil is a good end.
        case ended(RPCError?)
    }

    private var state = State.open
    private var messages = FIFO<[UInt8]>()
    private var readers = FIFO<(ticket: UInt64, reader: Reader)>()

    /// What a message costs against the limit: its bytes and the memory around them, so that empty ones count.
    static func cost(_ message: [UInt8]) -> Int { message.count + 64 }

    /// - Returns: Whether the message was kept; false if a reader has it already, or nobody will.
    mutating func deliver(_ message: [UInt8]) -> Bool {
        guard case .open = state else { return false }
        if let (_, reader) = readers.popFirst() {
            reader.resume(returning: message)
            return false
        }
        messages.append(message)
        return true
    }

    /// Lets what has arrived be read, then ends, well or with `error`.
    mutating func end(_ error: RPCError?) {
        guard case .open = state else { return }
        state = .ended(error)
        while let (_, reader) = readers.popFirst() { Mailbox.resume(reader, error) }
    }

    /// Ends now, dropping what has arrived.
    /// - Returns: What that freed of the limit.
    mutating func fail(_ error: RPCError) -> Int {
        var freed = 0
        while let message = messages.popFirst() { freed += Mailbox.cost(message) }
        end(error)
        state = .ended(error)
        return freed
    }

    /// Gives `reader` the next message, the end, or has it wait under `ticket`.
    /// - Returns: What that freed of the limit.
    mutating func read(_ ticket: UInt64, _ reader: Reader) -> Int {
        if let message = messages.popFirst() {
            reader.resume(returning: message)
            return Mailbox.cost(message)
        }
        switch state {
        case .open: readers.append((ticket, reader))
        case .ended(let error): Mailbox.resume(reader, error)
        }
        return 0
    }

    /// The reader of `ticket` waits no more.
    mutating func withdraw(_ ticket: UInt64) {
        for (_, reader) in readers.remove(where: { $0.ticket == ticket }) {
            reader.resume(throwing: RPCError(.cancelled, "the task that waited for a message was cancelled"))
        }
    }

    private static func resume(_ reader: Reader, _ error: RPCError?) {
        if let error { reader.resume(throwing: error) } else { reader.resume(returning: nil) }
    }
}
