// TCP by hand, in a namespace: what a unit, the enforcer and an outsider do.

import CNetfilter
import Interception
import Linux
import Logging
import Support

/// A socket of a test, closed with it.
final class TestSocket: Sendable {
    let raw: Int32

    init(_ raw: Int32) { self.raw = raw }
    deinit { close(raw) }

    /// What the other end sends, as much as comes at once; waits for it.
    func receive() throws -> String {
        try wait(for: POLLIN)
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = try syscall("recv") { recv(raw, &bytes, bytes.count, 0) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        _ = try syscall("send") { Glibc.send(raw, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Its close will be a reset; socket(7), SO_LINGER.
    func resetAtItsEnd() throws {
        var option = linger(l_onoff: 1, l_linger: 0)
        try syscall("setsockopt") { setsockopt(raw, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size)) }
    }

    func wait(for events: Int32) throws {
        var entry = pollfd(fd: raw, events: Int16(events), revents: 0)
        if try syscall("poll", "", { poll(&entry, 1, 10_000) }) == 0 { throw SystemCallError(call: "poll", errno: ETIMEDOUT) }
    }
}

/// Who dials: the application, or the enforcer in one of its two parts.
enum Dialler: CaseIterable {
    case application, enforcerToNetwork, enforcerToApplication

    var mark: UInt32 {
        switch self {
        case .application: 0
        case .enforcerToNetwork: ConnectionMarks.standard.outgoing
        case .enforcerToApplication: ConnectionMarks.standard.application
        }
    }
}

extension NetworkNamespace {
    convenience init(_ place: some NetworkPlace) throws { try self.init(path: place.namespacePath) }

    /// Connects; the error's `errno` says how it failed.
    /// - Parameter port: Where it comes from; 0 for any that is free.
    func dial(_ address: String, as dialler: Dialler = .application, from port: UInt16 = 0) throws -> TestSocket {
        let destination = SocketAddress(address)!  // safe: the tests write addresses that parse
        return try run {
            let (family, mark) = (destination.address.isV4 ? AF_INET : AF_INET6, dialler.mark)
            let socket = TestSocket(try syscall("socket") { Glibc.socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0) })
            try set(socket.raw, SOL_SOCKET, SO_MARK, mark)
            if port != 0 {
                try set(socket.raw, SOL_SOCKET, SO_REUSEADDR, 1)
                var (own, length) = SocketAddress(destination.address.isV4 ? .v4Any : .v6Any, port).raw
                try syscall("bind") { cnetfilter_bind(socket.raw, &own, length) }
            }
            let (raw, length) = destination.raw
            let result = withUnsafePointer(to: raw) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket.raw, $0, length) }
            }
            guard result == 0 || errno == EINPROGRESS else { throw SystemCallError(call: "connect", errno: errno) }
            try socket.wait(for: POLLOUT)
            var failure: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(socket.raw, SOL_SOCKET, SO_ERROR, &failure, &size)
            if failure != 0 { throw SystemCallError(call: "connect", errno: failure) }
            return socket
        }
    }

    /// What `dial` fails with, or 0.
    func failureToDial(_ address: String, as dialler: Dialler = .application) throws -> Int32 {
        do {
            _ = try dial(address, as: dialler)
            return 0
        } catch let error as SystemCallError {
            return error.errno
        }
    }

    /// An application that listens on every address.
    func listen(port: UInt16) throws -> TestSocket {
        try run {
            let socket = TestSocket(try syscall("socket") { Glibc.socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0) })
            try set(socket.raw, SOL_SOCKET, SO_REUSEADDR, 1)
            var (address, length) = SocketAddress(.v6Any, port).raw
            try syscall("bind") { cnetfilter_bind(socket.raw, &address, length) }
            try syscall("listen") { Glibc.listen(socket.raw, 128) }
            return socket
        }
    }
}

private func set(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: UInt32) throws {
    try syscall("setsockopt") {
        withUnsafePointer(to: value) { setsockopt(socket, level, option, $0, socklen_t(MemoryLayout<UInt32>.size)) }
    }
}

/// A connection taken from a listener.
struct Accepted {
    let socket: TestSocket
    /// What the client dialled: the socket's own address, or what nat knows of it (SO_ORIGINAL_DST) where that led it to the listener's port.
    let dialled: String?
    /// Which of the listeners took it.
    let listener: Int32
}

/// Accepts from whichever of `listeners` has a connection; waits for one.
func accept(from listeners: [Int32]) throws -> Accepted {
    var entries = listeners.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    _ = try syscall("poll") { poll(&entries, nfds_t(entries.count), 10_000) }
    guard let ready = entries.first(where: { $0.revents != 0 }) else { throw SystemCallError(call: "accept", errno: ETIMEDOUT) }
    var peer = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let socket = TestSocket(try syscall("accept") { clinux_accept4(ready.fd, &peer, &length, 0) })
    let local = try name(of: socket.raw)
    if try local.port != name(of: ready.fd).port { return Accepted(socket: socket, dialled: local.description, listener: ready.fd) }
    let isV4 = SocketAddress(peer).address.isV4
    var dialled = sockaddr_in6()
    length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let failure = getsockopt(
        socket.raw, Int32(isV4 ? IPPROTO_IP : IPPROTO_IPV6), Int32(CLINUX_SO_ORIGINAL_DST), &dialled, &length)
    return Accepted(socket: socket, dialled: failure == 0 ? SocketAddress(dialled).description : nil, listener: ready.fd)
}

private func name(of socket: Int32) throws -> SocketAddress {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    try syscall("getsockname") { cnetfilter_socket_name(socket, &address, &length) }
    return SocketAddress(address)
}

extension Redirection {
    /// Each test is of both, where the kernel can do both.
    static let allCases: [Redirection] = isSteeringPossible ? [.nat, .steering] : [.nat]

    static var isSteeringPossible: Bool { (try? dials.get()) != nil }

    /// One for all tests, as a daemon has one for all units.
    static let dials = Result {
        // What is pinned would outlive this process.
        atexit { try? Redirection.pins.removeAll() }
        return try SocketSteering.ifPossible(pins: pins)
    }
    static let pins = SteeringPins(stateDirectory: "/tests/\(getpid())")

    /// Of units that are open without an enforcer.
    static let passingDials = Result { try SocketSteering.ifPossible(pins: nil) }
}

extension Interceptor {
    var outgoing: [Int32] { listeners.map(\.outgoing) }
    var incoming: [Int32] { listeners.map(\.incoming) }

    convenience init(
        of place: some NetworkPlace, by redirection: Redirection, kind: Kind = .container, workers: Int = 1, failureMode: FailureMode = .closed
    ) throws {
        let dials = failureMode == .closed ? Redirection.dials : Redirection.passingDials
        try self.init(
            unit: "/test/\(place.name)", namespace: try NetworkNamespace(place), kind: kind, workers: workers, failureMode: failureMode,
            steering: redirection == .nat ? nil : try dials.get(), pins: Redirection.pins, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

func frontends(_ list: String...) -> Set<InterceptedFrontend> {
    Set(list.map {
        let at = $0.lastIndex(of: ":")!  // safe: the tests write "CIDR:PORT"
        let cidr = CIDR($0[..<at].filter { $0 != "[" && $0 != "]" })!  // safe: as above
        return InterceptedFrontend(cidr: cidr, port: UInt16($0[$0.index(after: at)...])!)  // safe: as above
    })
}
