// The client's end of a connection: calls that wait, and the frames that answer them.

import Linux
import SallyportProtocol

/// One connection of a client. Lives on the loop's thread.
actor ClientConnection {
    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let link: Link
    private var streams: ClientStreams
    /// The timers of streams with a deadline.
    private var deadlines: [UInt32: UInt64] = [:]
    private var isAttached = false
    private var ending: TTRPCEnding?
    /// Why nothing can be sent any more, while answers to what was sent may still come.
    private var outputEnding: TTRPCEnding?

    init(owning descriptor: consuming Descriptor, loop: EventLoop, limits: TTRPCLimits) {
        self.loop = loop
        link = Link(owning: descriptor, loop: loop, limits: limits, pausesWhileUnread: false)
        streams = ClientStreams(limits: limits)
    }

    // MARK: Calls

    /// Sends a request and waits for its one answer.
    func call(_ request: Ttrpc_Request, timeout: Duration?) async throws -> [UInt8] {
        let id = try await open(request, .unary, timeout: timeout)
        defer { forget(id) }
        guard let answer = try await next(id) else {
            throw RPCError(.internal, "the call ended without an answer")
        }
        return answer
    }

    /// Sends the request of a stream.
    /// - Returns: The stream's id; `forget` it in the end.
    func open(_ request: Ttrpc_Request, _ opening: ClientStreams.Opening, timeout: Duration?) async throws -> UInt32 {
        try attach()
        let late = RPCError(.deadlineExceeded, "\(request.service)/\(request.method) did not end within \(timeout ?? .zero)")
        if let timeout, timeout <= .zero { throw late }
        let frame = try streams.open(request, opening)
        let id = frame.stream
        link.openMailbox(id)
        if let timeout {
            let (deadline, never) = clinux_monotonic().addingReportingOverflow(timeout.nanoseconds)
            if !never {
                deadlines[id] = loop.schedule(at: deadline) { [weak self] in
                    self?.assumeIsolated { $0.giveUp(id, late) }
                }
            }
        }
        do {
            try await transmit(frame)
        } catch {
            forget(id)
            throw error
        }
        return id
    }

    func send(_ id: UInt32, _ message: [UInt8]) async throws {
        if let ending { throw ending.unavailable }
        try await transmit(streams.message(id, message))
    }

    func closeSend(_ id: UInt32) throws {
        if let frame = streams.closeSend(id) { post(frame) }
    }

    /// The next message of a stream, nil after the last.
    func next(_ id: UInt32) async throws -> [UInt8]? {
        let ticket = link.nextTicket()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { reader in
                link.receive(id, ticket, reader, otherwise: RPCError(.cancelled, "the stream was given up"))
            }
        } onCancel: {
            Task { await self.withdraw(ticket, id) }
        }
    }

    /// Tells the server that nobody waits any more, and fails what is waiting on the stream with `error`.
    func giveUp(_ id: UInt32, _ error: RPCError) {
        let farewell = streams.giveUp(id)
        guard !farewell.isEmpty else { return }
        link.failMailbox(id, error)
        cancelDeadline(id)
        if !link.dropWaiting(id, error) { farewell.forEach(post) }
    }

    /// Nobody asks for the stream again.
    func forget(_ id: UInt32) {
        let error = RPCError(.cancelled, "the stream was given up")
        giveUp(id, error)
        link.closeMailbox(id, error)
    }

    private func cancelDeadline(_ id: UInt32) {
        if let timer = deadlines.removeValue(forKey: id) { loop.cancel(timer: timer) }
    }

    // MARK: Sending

    /// Sends a frame, and waits for room if there is none.
    private func transmit(_ frame: Frame) async throws {
        if let ending = ending ?? outputEnding { throw ending.unavailable }
        do {
            if try link.offer(frame) { return keepWatch() }
        } catch {
            outputFailed(error)
            throw error.unavailable
        }
        let ticket = link.nextTicket()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { link.wait(ticket, frame, $0) }
        } onCancel: {
            Task { await self.withdraw(ticket, frame.stream) }
        }
    }

    private func post(_ frame: Frame) {
        guard ending == nil, outputEnding == nil else { return }
        do { try link.post(frame) } catch { outputFailed(error) }
        keepWatch()
    }

    private func withdraw(_ ticket: UInt64, _ id: UInt32) { link.withdraw(ticket, id) }

    /// Nothing can be sent any more; what the other end sent before it closed is still to be read.
    private func outputFailed(_ why: TTRPCEnding) {
        guard why == .reset else { return end(why) }
        outputEnding = .closedByPeer
        link.dropOutput(TTRPCEnding.closedByPeer.unavailable)
    }

    // MARK: The socket

    private func attach() throws(RPCError) {
        if let ending = ending ?? outputEnding { throw ending.unavailable }
        guard !isAttached else { return }
        do {
            try link.attach { [weak self] events in self?.assumeIsolated { $0.ready(events) } }
        } catch {
            throw TTRPCEnding(error).unavailable
        }
        isAttached = true
    }

    private func ready(_ events: UInt32) {
        if events & EPOLLOUT.rawValue != 0 {
            do { try link.flush() } catch { outputFailed(error) }
        }
        if events & ~EPOLLOUT.rawValue != 0 {
            if link.isReading { input() } else { link.silence() }
        }
        keepWatch()
    }

    private func input() {
        switch link.read() {
        case .frames(let outputs): for output in outputs { streams.receive(output).forEach(perform) }
        case .ended: end(.closedByPeer)
        case .failed(let why): end(why)
        }
    }

    private func perform(_ effect: ClientStreams.Effect) {
        switch effect {
        case .deliver(let id, let message): link.deliver(id, message)
        case .end(let id, let error):
            link.endMailbox(id, error)
            link.dropWaiting(id, error ?? RPCError(.failedPrecondition, "the other end has finished the stream"))
            cancelDeadline(id)
        }
    }

    private func keepWatch() {
        link.keepWatch { [weak self] in self?.assumeIsolated { $0.watchFired() } }
    }

    private func watchFired() {
        do { try link.checkWatch() } catch { end(error) }
        keepWatch()
    }

    /// Ends the connection and everything open on it.
    func end(_ why: TTRPCEnding) {
        guard ending == nil else { return }
        ending = why
        deadlines.values.forEach(loop.cancel)
        deadlines = [:]
        link.fail(why.unavailable)
        link.close()
    }

    deinit { deadlines.values.forEach(loop.cancel) }
}
