// What both ends of a connection have in common: a socket, what waits to be sent, and what waits to be read.

import Linux

/// The carrying part of a connection. It knows streams by number and nothing of what they mean. It belongs to one
/// actor of the loop and is used on its thread only.
final class Link {
    private struct Waiting {
        let ticket: UInt64
        let stream: UInt32
        let frame: Frame
        /// The sender that waits until the frame is taken; nil for an answer nobody waits for.
        let sender: CheckedContinuation<Void, any Error>?
    }

    let loop: EventLoop
    private let limits: TTRPCLimits
    /// A server owes answers, so one whose answers are not read stops reading; a client that did would deadlock with it.
    private let pausesWhileUnread: Bool
    /// Nil once closed.
    private var socket: FramedSocket?
    private var waiting = FIFO<Waiting>()
    private var mailboxes: [UInt32: Mailbox] = [:]
    /// What the mailboxes hold, as `Mailbox.cost` counts.
    private var unreadBytes = 0
    private var inputEnded = false
    private var lastTicket: UInt64 = 0
    /// The timer that watches the other end, and when it fires.
    private var watch: (timer: UInt64, deadline: UInt64)?

    init(owning descriptor: consuming Descriptor, loop: EventLoop, limits: TTRPCLimits, pausesWhileUnread: Bool) {
        self.loop = loop
        self.limits = limits
        self.pausesWhileUnread = pausesWhileUnread
        socket = FramedSocket(owning: descriptor, loop: loop, limits: limits)
    }

    deinit { if let watch { loop.cancel(timer: watch.timer) } }

    func attach(_ ready: @escaping @Sendable (UInt32) -> Void) throws(SystemCallError) { try socket?.attach(ready) }

    func nextTicket() -> UInt64 {
        lastTicket += 1
        return lastTicket
    }

    /// Whether everything was sent.
    var isFlushed: Bool { waiting.isEmpty && queuedBytes == 0 }

    /// Closes the socket. What has arrived may still be read.
    func close() { socket = nil }

    // MARK: Sending

    private var queuedBytes: Int { socket?.queuedBytes ?? 0 }
    private var hasRoom: Bool { waiting.isEmpty && queuedBytes < limits.queuedBytes }

    /// Sends `frame` if there is room.
    /// - Returns: Whether it was; if not, `wait` or `post` it.
    func offer(_ frame: Frame) throws(TTRPCEnding) -> Bool {
        guard hasRoom else { return false }
        try send(frame)
        return true
    }

    /// Has `sender` wait under `ticket` until there is room for `frame`, behind those that wait already.
    func wait(_ ticket: UInt64, _ frame: Frame, _ sender: CheckedContinuation<Void, any Error>) {
        waiting.append(Waiting(ticket: ticket, stream: frame.stream, frame: frame, sender: sender))
        updateReading()
    }

    /// Sends `frame` when there is room, behind those that wait already.
    func post(_ frame: Frame) throws(TTRPCEnding) {
        if try offer(frame) { return }
        waiting.append(Waiting(ticket: 0, stream: frame.stream, frame: frame, sender: nil))
        updateReading()
    }

    /// Sends `frame` ahead of what waits. For answers to what was just read: while they are not taken no more is
    /// read, so they cannot pile up.
    func send(_ frame: Frame) throws(TTRPCEnding) {
        if let ending = socket?.write(frame) { throw ending }
        updateReading()
    }

    /// The socket takes bytes again.
    func flush() throws(TTRPCEnding) {
        if let ending = socket?.flush() { throw ending }
        while queuedBytes < limits.queuedBytes, let next = waiting.popFirst() {
            if let ending = socket?.write(next.frame) {
                next.sender?.resume(throwing: ending.unavailable)
                throw ending
            }
            next.sender?.resume()
        }
        updateReading()
    }

    /// Drops what waits to be sent on a stream.
    /// - Returns: Whether its request was among it, so that the other end knows nothing of the stream.
    @discardableResult
    func dropWaiting(_ stream: UInt32, _ error: RPCError) -> Bool {
        let dropped = waiting.remove { $0.stream == stream }
        for entry in dropped { entry.sender?.resume(throwing: error) }
        updateReading()
        return dropped.contains { $0.frame.type == .request }
    }

    /// The other end takes nothing more: drops all that was to be sent.
    func dropOutput(_ error: RPCError) {
        for entry in waiting.remove(where: { _ in true }) { entry.sender?.resume(throwing: error) }
        socket?.dropOutput()
        updateReading()
    }

    // MARK: Receiving

    func read() -> FramedSocket.Input {
        let input = socket?.read() ?? .ended
        if case .ended = input {
            inputEnded = true
            updateReading()
        }
        return input
    }

    func openMailbox(_ stream: UInt32) { mailboxes[stream] = Mailbox() }

    func deliver(_ stream: UInt32, _ message: [UInt8]) {
        if mailboxes[stream]?.deliver(message) == true { unreadBytes += Mailbox.cost(message) }
        updateReading()
    }

    func endMailbox(_ stream: UInt32, _ error: RPCError?) { mailboxes[stream]?.end(error) }

    func failMailbox(_ stream: UInt32, _ error: RPCError) {
        unreadBytes -= mailboxes[stream]?.fail(error) ?? 0
        updateReading()
    }

    func closeMailbox(_ stream: UInt32, _ error: RPCError) {
        failMailbox(stream, error)
        mailboxes[stream] = nil
    }

    /// Has `reader` wait under `ticket` for the next message of a stream.
    func receive(_ stream: UInt32, _ ticket: UInt64, _ reader: Mailbox.Reader, otherwise error: RPCError) {
        guard mailboxes[stream] != nil else { return reader.resume(throwing: error) }
        unreadBytes -= mailboxes[stream]?.read(ticket, reader) ?? 0
        updateReading()
    }

    /// The sender or reader of `ticket` waits no more.
    func withdraw(_ ticket: UInt64, _ stream: UInt32) {
        mailboxes[stream]?.withdraw(ticket)
        for entry in waiting.remove(where: { $0.ticket == ticket }) {
            entry.sender?.resume(throwing: RPCError(.cancelled, "the task that waited to send was cancelled"))
        }
        updateReading()
    }

    /// Ends everything that waits. What has arrived may still be read.
    func fail(_ error: RPCError) {
        dropOutput(error)
        endMailboxes(error)
    }

    /// No stream gets another message.
    func endMailboxes(_ error: RPCError) {
        for stream in mailboxes.keys { endMailbox(stream, error) }
    }

    // MARK: Pausing

    private func updateReading() {
        let unanswered = pausesWhileUnread && !hasRoom
        socket?.isReading = !inputEnded && !unanswered && unreadBytes < limits.queuedBytes
    }

    var isReading: Bool { socket?.isReading ?? false }

    /// Hears no more of a hang-up until reading resumes.
    func silence() { socket?.silence() }

    // MARK: The watch on the other end

    /// Sees to it that `fire` is called when the other end may be overdue.
    func keepWatch(_ fire: @escaping @Sendable () -> Void) {
        guard let deadline = socket?.watchUntil else { return }
        if let watch {
            // A timer that fires too early finds nothing overdue and is set again; that is dearer on every frame.
            if watch.deadline <= deadline { return }
            loop.cancel(timer: watch.timer)
        }
        watch = (loop.schedule(at: deadline, fire), deadline)
    }

    /// The watch fired.
    /// - Throws: What the other end has failed to do in time.
    func checkWatch() throws(TTRPCEnding) {
        watch = nil
        if let ending = socket?.overdue(clinux_monotonic()) { throw ending }
    }
}
