// The thread that serves metrics: poll(2) over a few connections, each with a deadline.

import Linux
import Logging
import Prometheus

struct MetricsLoop: ~Copyable {
    /// Prometheus opens one; the rest wait in the kernel's backlog.
    private static let connectionLimit = 16
    /// From the first byte of a request to the last of its answer; Prometheus itself gives up after 10 s by default.
    private static let deadline: UInt64 = 10_000_000_000

    private struct Connection {
        enum Phase {
            case reading(MetricsRequest)
            case rendering(headOnly: Bool)
            case writing(ArraySlice<UInt8>)
        }

        let descriptor: Int32
        let deadline: UInt64
        var phase = Phase.reading(MetricsRequest())
    }

    private let listener: Descriptor
    private let inbox: MetricsInbox
    private let logger: Logger
    private let snapshot: @Sendable () async -> MetricsSnapshot
    private var connections: [UInt64: Connection] = [:]
    private var nextConnection: UInt64 = 0
    private var acceptsAgain: UInt64 = 0

    init(owning listener: Int32, inbox: MetricsInbox, logger: Logger, snapshot: @escaping @Sendable () async -> MetricsSnapshot) {
        self.listener = Descriptor(owning: listener)
        self.inbox = inbox
        self.logger = logger
        self.snapshot = snapshot
    }

    deinit { for connection in connections.values { close(connection.descriptor) } }

    mutating func run() {
        while true {
            let now = clinux_monotonic()
            for (id, connection) in connections where connection.deadline <= now { end(id) }
            let accepts = connections.count < MetricsLoop.connectionLimit && acceptsAgain <= now
            let ids = Array(connections.keys)
            var polled = [
                pollfd(fd: inbox.wake.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: accepts ? listener.raw : -1, events: Int16(POLLIN), revents: 0),
            ]
            for id in ids { polled.append(pollfd(fd: connections[id]?.descriptor ?? -1, events: events(of: id), revents: 0)) }
            poll(&polled, nfds_t(polled.count), timeout(now))

            if polled[0].revents != 0 {
                let (texts, isStopped) = inbox.take()
                if isStopped { return }
                for (id, text) in texts { answer(id, text) }
            }
            if polled[1].revents != 0 { accept() }
            for (id, polled) in zip(ids, polled[2...]) where polled.revents != 0 { progress(id) }
        }
    }

    private func events(of id: UInt64) -> Int16 {
        switch connections[id]?.phase {
        case .reading: Int16(POLLIN)
        case .writing: Int16(POLLOUT)
        case .rendering, nil: 0
        }
    }

    /// Milliseconds until the next deadline; -1 for none.
    private func timeout(_ now: UInt64) -> Int32 {
        var next = connections.values.map(\.deadline).min() ?? .max
        if acceptsAgain > now { next = min(next, acceptsAgain) }
        return next == .max ? -1 : Int32(clamping: (next - now) / 1_000_000 + 1)
    }

    private mutating func accept() {
        let accepted = clinux_accept4(listener.raw, nil, nil, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
        guard accepted >= 0 else {
            if clinux_errno() == EMFILE || clinux_errno() == ENFILE {
                // The connection stays in the backlog and poll(2) would report it again at once.
                acceptsAgain = clinux_monotonic() + 100_000_000
                logger.warning("metrics-connection-not-accepted", metadata: ["error": "out of file descriptors"])
            }
            return
        }
        connections[nextConnection] = Connection(descriptor: accepted, deadline: clinux_monotonic() + MetricsLoop.deadline)
        nextConnection += 1
    }

    /// Reads or writes what the socket has or takes.
    private mutating func progress(_ id: UInt64) {
        guard var connection = connections[id] else { return }
        switch connection.phase {
        case .rendering:
            // Nothing was asked for but an error or the other end's going away.
            end(id)
        case .reading(var request):
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(connection.descriptor, &buffer, buffer.count, 0)
            if count < 0 && clinux_errno() == EAGAIN { return }
            guard count > 0 else { return end(id) }
            let step = request.receive(buffer[..<count])
            connection.phase = .reading(request)
            connections[id] = connection
            perform(step, id)
        case .writing(var rest):
            let count = rest.withUnsafeBytes { send(connection.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 && clinux_errno() == EAGAIN { return }
            guard count > 0, count < rest.count else { return end(id) }
            rest = rest.dropFirst(count)
            connections[id]?.phase = .writing(rest)
        }
    }

    private mutating func perform(_ step: MetricsRequestStep, _ id: UInt64) {
        switch step {
        case .more: return
        case .refuse(let status, let text): write(id, metricsResponse(status: status, text: text))
        case .metrics(let headOnly):
            connections[id]?.phase = .rendering(headOnly: headOnly)
            Task { [snapshot, inbox] in inbox.add(await snapshot().text, for: id) }
        }
    }

    private mutating func answer(_ id: UInt64, _ text: String) {
        // The connection may have gone in the meantime.
        guard case .rendering(let headOnly) = connections[id]?.phase else { return }
        write(id, metricsResponse(status: "200 OK", text: text, headOnly: headOnly))
    }

    private mutating func write(_ id: UInt64, _ bytes: [UInt8]) {
        connections[id]?.phase = .writing(bytes[...])
        progress(id)
    }

    private mutating func end(_ id: UInt64) {
        if let connection = connections.removeValue(forKey: id) { close(connection.descriptor) }
    }
}
