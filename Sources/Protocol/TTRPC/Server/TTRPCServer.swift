// A ttrpc server: listening sockets, single connections, and their end.

import Linux

/// Serves the methods of a router to whoever connects.
public actor TTRPCServer {
    private let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let router: RPCRouter
    private let limits: TTRPCLimits
    private let observer: @Sendable (TTRPCServerEvent) -> Void
    private var listeners: [ObjectIdentifier: Listener] = [:]
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var isStopped = false
    private var stopped: [CheckedContinuation<Void, Never>] = []
    private var tally = TTRPCServerCounts()

    /// - Parameter observer: Called from the ttrpc thread, so it must not block.
    /// - Throws: `SystemCallError` if the process has no room for a thread or descriptor more.
    public init(
        router: RPCRouter, limits: TTRPCLimits = TTRPCLimits(),
        observer: @escaping @Sendable (TTRPCServerEvent) -> Void = { _ in }
    ) throws(SystemCallError) {
        loop = try EventLoop.shared()
        self.router = router
        self.limits = limits
        self.observer = observer
    }

    public var counts: TTRPCServerCounts {
        var counts = tally
        counts.open = connections.count
        return counts
    }

    /// Accepts connections on a listening stream socket until `stop`, or until the calling task is cancelled, and then
    /// closes it. Connections that were accepted live on until `stop`.
    /// - Throws: `SystemCallError` if it cannot be waited for.
    public func serve(listening descriptor: consuming Descriptor) async throws {
        if isStopped { return }
        let listener = Listener(owning: descriptor, loop: loop)
        let key = ObjectIdentifier(listener)
        try listener.attach { [weak self] in self?.assumeIsolated { $0.accept(key) } }
        listeners[key] = listener
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // A `stop` may have come in between.
                if listeners[key] == nil { continuation.resume() } else { listener.closed = continuation }
            }
        } onCancel: {
            Task { await self.close(key) }
        }
    }

    /// Serves one connected stream socket until it ends. Cancelling the calling task ends it.
    /// - Returns: Why it ended.
    @discardableResult
    public func serve(connection descriptor: consuming Descriptor) async -> TTRPCEnding {
        if isStopped { return .stopped }
        let connection = adopt(descriptor)
        return await withTaskCancellationHandler {
            await run(connection)
        } onCancel: {
            Task { await connection.end(.stopped) }
        }
    }

    /// Accepts no more, lets what is being worked on end for at most `grace`, then closes every connection.
    public func stop(grace: Duration = .zero) async {
        isStopped = true
        for key in listeners.keys { close(key) }
        for connection in connections.values { await connection.drain(.stopped) }
        guard !connections.isEmpty else { return }
        let timer = loop.schedule(at: clinux_monotonic() + grace.nanoseconds) { [weak self] in
            self?.assumeIsolated { $0.endAll() }
        }
        await withCheckedContinuation { stopped.append($0) }
        loop.cancel(timer: timer)
    }

    private func endAll() {
        for connection in connections.values { Task { await connection.end(.stopped) } }
    }

    // MARK: Accepting

    private func accept(_ key: ObjectIdentifier) {
        guard let listener = listeners[key] else { return }
        // A turn of 16, so that a rush of connections does not keep the open ones waiting.
        for _ in 0..<16 {
            do {
                guard let descriptor = try listener.accept() else { return }
                welcome(Descriptor(owning: descriptor))
            } catch {
                observer(.acceptFailed(error))
                return listener.pause { [weak self] in self?.assumeIsolated { $0.listeners[key]?.resume() } }
            }
        }
    }

    private func welcome(_ descriptor: consuming Descriptor) {
        guard connections.count < limits.connections else {
            tally.turnedAway += 1
            return observer(.turnedAway(RPCPeer(of: descriptor.raw)))
        }
        let connection = adopt(descriptor)
        Task { await run(connection) }
    }

    private func close(_ key: ObjectIdentifier) { listeners.removeValue(forKey: key)?.closed?.resume() }

    // MARK: Connections

    private func adopt(_ descriptor: consuming Descriptor) -> ServerConnection {
        let peer = RPCPeer(of: descriptor.raw)
        let connection = ServerConnection(owning: descriptor, peer: peer, loop: loop, router: router, limits: limits) { [weak self] error, isFirst in
            self?.assumeIsolated { $0.refused(peer, error, isFirst) }
        }
        connections[ObjectIdentifier(connection)] = connection
        tally.accepted += 1
        observer(.accepted(peer))
        return connection
    }

    @discardableResult
    private func run(_ connection: ServerConnection) async -> TTRPCEnding {
        let ending = await connection.run()
        connections[ObjectIdentifier(connection)] = nil
        tally.endings[ending.name, default: 0] += 1
        observer(.ended(connection.peer, ending))
        if connections.isEmpty {
            stopped.forEach { $0.resume() }
            stopped = []
        }
        return ending
    }

    private func refused(_ peer: RPCPeer?, _ error: RPCError, _ isFirst: Bool) {
        tally.refusedFrames += 1
        if isFirst { observer(.refused(peer, error)) }
    }
}
