// The sockets on which redirected connections arrive.

import CNetfilter
import Linux

/// The two listening sockets of one worker in one namespace: non-blocking, close-on-exec, TCP. What is
/// accepted from them has TCP_NODELAY and SO_KEEPALIVE already, both being inherited from the listener.
///
/// Which of the two accepted a connection is its direction.
public struct ListenerPair: Sendable, Equatable {
    public let outgoing: Int32
    public let incoming: Int32
    public let outgoingPort: UInt16
    public let incomingPort: UInt16
}

/// Makes a pair for each worker in the namespace of the calling thread. The caller owns the descriptors.
///
/// Every listener has a port of its own and shares it with nobody: with SO_REUSEPORT, an application that runs under the
/// enforcer's user id in that namespace (root in most containers) could join the group, and be given connections
/// that were not yet judged. The table deals connections out in turn instead.
///
/// - Parameter transparent: Whether they take what was dialled at addresses of elsewhere (IP_TRANSPARENT, ip(7)), and answer from there.
func makeListeners(workers: Int, transparent: Bool) throws(SystemCallError) -> [ListenerPair] {
    var pairs: [ListenerPair] = []
    do throws(SystemCallError) {
        for _ in 0..<workers {
            let outgoing = try listen(isTransparent: transparent)
            let incoming = try listen(isTransparent: transparent)
            let outgoingPort = try port(of: outgoing.raw)
            let incomingPort = try port(of: incoming.raw)
            pairs.append(ListenerPair(
                outgoing: outgoing.release(), incoming: incoming.release(),
                outgoingPort: outgoingPort, incomingPort: incomingPort))
        }
    } catch {
        close(pairs)
        throw error
    }
    return pairs
}

/// From now on what outgoing listeners accept answers with this mark; 0 for none.
func setAnswerMark(_ mark: UInt32, of pairs: [ListenerPair]) throws(SystemCallError) {
    for pair in pairs { try set(pair.outgoing, SOL_SOCKET, SO_MARK, Int32(bitPattern: mark)) }
}

func close(_ pairs: [ListenerPair]) {
    for pair in pairs {
        Glibc.close(pair.outgoing)
        Glibc.close(pair.incoming)
    }
}

/// A listener on every address of both families; on IPv4 alone where the kernel has no IPv6.
private func listen(isTransparent: Bool) throws(SystemCallError) -> Descriptor {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    var every = IPAddress.v6Any
    var raw = socket(AF_INET6, type, 0)
    if raw < 0 && errno == EAFNOSUPPORT {
        every = .v4Any
        raw = socket(AF_INET, type, 0)
    }
    if raw < 0 { throw SystemCallError(call: "socket", errno: errno) }
    let listener = Descriptor(owning: raw)
    if !every.isV4 { try set(raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
    // The end of earlier connections must not keep a port from being taken; no two may listen on it all the same, socket(7).
    try set(raw, SOL_SOCKET, SO_REUSEADDR, 1)
    if isTransparent {
        try every.isV4 ? set(raw, Int32(IPPROTO_IP), IP_TRANSPARENT, 1) : set(raw, Int32(IPPROTO_IPV6), IPV6_TRANSPARENT, 1)
    }
    try set(raw, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    try set(raw, SOL_SOCKET, SO_KEEPALIVE, 1)
    try bind(raw, every)
    // As many as net.core.somaxconn allows by default since Linux 5.4.
    try syscall("listen") { Glibc.listen(raw, 4096) }
    return listener
}

/// Takes a port that hardly anybody wants: above 61000 there are few services, and no client's end by the kernel's default
/// (net.ipv4.ip_local_port_range). One that the kernel chooses could be the very port that an application listens on later, such as 50051.
///
/// The same ones after a restart: for some seconds conntrack leads a client's port that is used again to where it led before.
private func bind(_ socket: Int32, _ every: IPAddress) throws(SystemCallError) {
    // Past 500 that are taken, the kernel finds any that is left.
    for port in (61000..<61500) + [0] {
        var (address, length) = SocketAddress(every, UInt16(port)).raw
        if cnetfilter_bind(socket, &address, length) == 0 { return }
        if errno != EADDRINUSE { break }
    }
    throw SystemCallError(call: "bind", errno: errno, subject: "\(every)")
}

private func set(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32) throws(SystemCallError) {
    try syscall("setsockopt") {
        withUnsafePointer(to: value) { setsockopt(socket, level, option, $0, socklen_t(MemoryLayout<Int32>.size)) }
    }
}

private func port(of socket: Int32) throws(SystemCallError) -> UInt16 {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    try syscall("getsockname") { cnetfilter_socket_name(socket, &address, &length) }
    return SocketAddress(address).port
}
