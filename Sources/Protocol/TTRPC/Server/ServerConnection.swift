// The server's end of a connection: methods that run, and the frames that start, feed and answer them.

import Linux
import SallyportProtocol

/// One connection of a server. Lives on the loop's thread; the methods themselves run on the cooperative pool.
actor ServerConnection {
    private struct Call {
        let task: Task<Void, Never>
        /// The timer of its deadline.
        let deadline: UInt64?
    }

    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    nonisolated let peer: RPCPeer?
    private let link: Link
    private var streams: ServerStreams
    private var calls: [UInt32: Call] = [:]
    private let refused: @Sendable (RPCError, _ isFirst: Bool) -> Void
    private var hasRefused = false
    /// Set once no more requests are taken: the reason to end with when no method runs and everything is sent.
    private var draining: TTRPCEnding?
    private var ending: TTRPCEnding?
    private var ended: CheckedContinuation<TTRPCEnding, Never>?

    /// - Parameter refused: Called on the loop's thread with the error of each frame that was refused.
    init(
        owning descriptor: consuming Descriptor, peer: RPCPeer?, loop: EventLoop, router: RPCRouter, limits: TTRPCLimits,
        refused: @escaping @Sendable (RPCError, _ isFirst: Bool) -> Void
    ) {
        self.loop = loop
        self.refused = refused
        self.peer = peer
        link = Link(owning: descriptor, loop: loop, limits: limits, pausesWhileUnread: true)
        streams = ServerStreams(router: router, limits: limits)
    }

    /// Serves until the connection ends. To be called once.
    func run() async -> TTRPCEnding {
        do {
            try link.attach { [weak self] events in self?.assumeIsolated { $0.ready(events) } }
        } catch {
            end(TTRPCEnding(error))
        }
        if let ending { return ending }
        return await withCheckedContinuation { ended = $0 }
    }

    /// Takes no more requests, and ends when those that run are answered.
    func drain(_ why: TTRPCEnding) {
        draining = draining ?? why
        streams.isStopping = true
        endIfDrained()
    }

    /// Ends now; what runs is cancelled.
    func end(_ why: TTRPCEnding) {
        guard ending == nil else { return }
        ending = why
        for call in calls.values { cancel(call) }
        calls = [:]
        link.fail(.callEnded)
        link.close()
        ended?.resume(returning: why)
        ended = nil
    }

    // MARK: Methods

    private func start(_ id: UInt32, _ method: RPCMethod, _ request: Ttrpc_Request) {
        var context = RPCContext(metadata: request.metadataByKey, peer: peer)
        var timer: UInt64?
        if request.timeoutNano > 0 {
            let (deadline, never) = clinux_monotonic().addingReportingOverflow(UInt64(request.timeoutNano))
            if !never {
                context.deadline = deadline
                timer = loop.schedule(at: deadline) { [weak self] in self?.assumeIsolated { $0.expire(id) } }
            }
        }
        if method.takesStream { link.openMailbox(id) }
        let payload = [UInt8](request.payload)
        let task = Task.detached { [self, context] in
            let outcome = await method.run(payload, context, ServerStream(connection: self, id: id))
            await finish(id, outcome)
        }
        calls[id] = Call(task: task, deadline: timer)
    }

    /// The method has returned.
    private func finish(_ id: UInt32, _ outcome: Result<[UInt8], RPCError>) {
        let frame = streams.finish(id, outcome)
        release(id)
        if let frame { post(frame) }
        endIfDrained()
    }

    /// The caller's deadline has passed.
    private func expire(_ id: UInt32) {
        guard let frame = streams.fail(id, RPCError(.deadlineExceeded, "the deadline of the call has passed")) else { return }
        abandon(id)
        post(frame)
    }

    /// Nobody waits for the outcome any more.
    private func abandon(_ id: UInt32) {
        if let call = calls[id] { cancel(call) }
        release(id)
    }

    private func release(_ id: UInt32) {
        if let timer = calls.removeValue(forKey: id)?.deadline { loop.cancel(timer: timer) }
        link.closeMailbox(id, .callEnded)
        link.dropWaiting(id, .callEnded)
    }

    private func cancel(_ call: Call) {
        call.task.cancel()
        if let timer = call.deadline { loop.cancel(timer: timer) }
    }

    // MARK: What a running method may do

    func send(_ id: UInt32, _ message: [UInt8]) async throws {
        guard ending == nil else { throw RPCError.callEnded }
        let frame = try streams.message(id, message)
        do {
            if try link.offer(frame) { return keepWatch() }
        } catch {
            end(error)
            throw RPCError.callEnded
        }
        let ticket = link.nextTicket()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { link.wait(ticket, frame, $0) }
        } onCancel: {
            Task { await self.withdraw(ticket, id) }
        }
    }

    func next(_ id: UInt32) async throws -> [UInt8]? {
        let ticket = link.nextTicket()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { link.receive(id, ticket, $0, otherwise: .callEnded) }
        } onCancel: {
            Task { await self.withdraw(ticket, id) }
        }
    }

    private func withdraw(_ ticket: UInt64, _ id: UInt32) { link.withdraw(ticket, id) }

    private func post(_ frame: Frame) {
        guard ending == nil else { return }
        do { try link.post(frame) } catch { end(error) }
        keepWatch()
    }

    // MARK: The socket

    private func ready(_ events: UInt32) {
        if events & EPOLLOUT.rawValue != 0 {
            do { try link.flush() } catch { end(error) }
        }
        let hungUp = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        if link.isReading {
            if events & ~EPOLLOUT.rawValue != 0 { input(hungUp: hungUp) }
        } else if hungUp {
            // Nobody is left to answer to, so what is still unread does not matter.
            end(.closedByPeer)
        }
        endIfDrained()
        keepWatch()
    }

    private func input(hungUp: Bool) {
        switch link.read() {
        case .frames(let outputs):
            for output in outputs where ending == nil { streams.receive(output).forEach(perform) }
        case .ended where hungUp: end(.closedByPeer)
        case .ended:
            // Only the other end's sending side is closed: what it has asked for is still answered.
            link.endMailboxes(.callEnded)
            drain(.closedByPeer)
        case .failed(let why): end(why)
        }
    }

    private func perform(_ effect: ServerStreams.Effect) {
        switch effect {
        case .start(let id, let method, let request): start(id, method, request)
        case .deliver(let id, let message): link.deliver(id, message)
        case .endInput(let id): link.endMailbox(id, nil)
        case .abandon(let id): abandon(id)
        case .refuse(let answer, let error):
            refused(error, !hasRefused)
            hasRefused = true
            do { try link.send(answer) } catch { end(error) }
        }
    }

    private func endIfDrained() {
        if let draining, streams.isIdle, link.isFlushed { end(draining) }
    }

    private func keepWatch() {
        link.keepWatch { [weak self] in self?.assumeIsolated { $0.watchFired() } }
    }

    private func watchFired() {
        do { try link.checkWatch() } catch { end(error) }
        keepWatch()
    }
}

extension RPCPeer {
    /// Who connected the socket; nil if it is no Unix socket.
    init?(of descriptor: Int32) {
        var credentials = clinux_credentials()
        // A socket of another family reports process 0 and the overflow ids -1; socket(7), SO_PEERCRED.
        guard clinux_peer_credentials(descriptor, &credentials) == 0, credentials.uid != UInt32.max else { return nil }
        self.init(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid, groups: supplementaryGroups(descriptor))
    }
}

/// None where the kernel does not tell: a process may be in at most 65,536 (NGROUPS_MAX, credentials(7)).
private func supplementaryGroups(_ descriptor: Int32) -> [UInt32] {
    var bytes: socklen_t = 0
    // With no room the call fails with ERANGE and says how much it needs.
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, nil, &bytes) != 0, clinux_errno() == ERANGE, bytes > 0 else { return [] }
    var groups = [UInt32](repeating: 0, count: Int(bytes) / MemoryLayout<UInt32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, &groups, &bytes) == 0 else { return [] }
    return groups
}
