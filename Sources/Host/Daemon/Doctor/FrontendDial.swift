// Does somebody answer where clients dial? A TCP connection that is closed again at once.

import Linux

/// How a frontend answered.
package enum FrontendAnswer: Sendable, Equatable {
    case connected
    /// The system's words.
    case refused(String)
    case silent
    /// From the node's own namespace there is no way to it; from the units' there may be.
    case unroutable
    /// Not tried, and why.
    case untried(String)
}

/// How trying is bounded: 50 frontends by 8 are 7 rounds of a second, and a whole examination has 10 seconds.
enum DialBounds {
    static let frontends = 50
    static let atOnce = 8
    static let patience: UInt64 = 1_000_000_000
    /// No round begins later.
    static let budget: UInt64 = 6_000_000_000
}

/// Connects to each address from the namespace of the calling thread, 8 at a time, for a second each. Blocks.
///
/// - Parameter mark: The packet mark of the connections, so that the enforcer's own rules leave them alone.
/// - Returns: An answer for each address.
package func dial(_ addresses: [SocketAddress], mark: UInt32) -> [FrontendAnswer] {
    var answers: [FrontendAnswer] = []
    let end = clinux_monotonic() + DialBounds.budget
    for start in stride(from: 0, to: addresses.count, by: DialBounds.atOnce) {
        let round = addresses[start..<min(start + DialBounds.atOnce, addresses.count)]
        if clinux_monotonic() < end {
            answers += dialAtOnce(Array(round), mark)
        } else {
            answers += round.map { _ in .untried("there was no time left") }
        }
    }
    return answers
}

private func dialAtOnce(_ addresses: [SocketAddress], _ mark: UInt32) -> [FrontendAnswer] {
    var answers: [FrontendAnswer] = []
    // poll(2) passes over negative descriptors.
    var waiting: [pollfd] = []
    defer { for entry in waiting where entry.fd >= 0 { close(entry.fd) } }
    for address in addresses {
        let (answer, descriptor) = begin(address, mark)
        answers.append(answer)
        waiting.append(pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0))
    }
    let end = clinux_monotonic() + DialBounds.patience
    while waiting.contains(where: { $0.fd >= 0 }) {
        let now = clinux_monotonic()
        if now >= end { break }
        let ready = poll(&waiting, nfds_t(waiting.count), Int32((end - now) / 1_000_000) + 1)
        if ready < 0 && clinux_errno() != EINTR { break }
        for index in waiting.indices where waiting[index].fd >= 0 && waiting[index].revents != 0 {
            answers[index] = outcome(waiting[index].fd)
            close(waiting[index].fd)
            waiting[index].fd = -1
        }
    }
    return answers
}

/// - Returns: The answer as it stands, and the descriptor that is still connecting, or -1.
private func begin(_ address: SocketAddress, _ mark: UInt32) -> (FrontendAnswer, Int32) {
    let family = address.address.isV4 ? AF_INET : AF_INET6
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if descriptor < 0 { return (.untried(words(clinux_errno())), -1) }
    var mark = mark
    var (raw, length) = address.raw
    // Without the mark a host unit's own rules would redirect it: what answered would be this enforcer.
    if setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, 4) != 0 {
        defer { close(descriptor) }
        return (.untried("the socket cannot be marked: \(words(clinux_errno()))"), -1)
    }
    let result = withUnsafePointer(to: &raw) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
    }
    let code = result == 0 ? 0 : clinux_errno()
    if code == EINPROGRESS { return (.silent, descriptor) }
    close(descriptor)
    return (answer(code), -1)
}

private func outcome(_ descriptor: Int32) -> FrontendAnswer {
    var code: Int32 = 0
    var length = socklen_t(4)
    if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) != 0 { code = clinux_errno() }
    return answer(code)
}

private func answer(_ code: Int32) -> FrontendAnswer {
    switch code {
    case 0: .connected
    case ENETUNREACH: .unroutable
    default: .refused(words(code))
    }
}

private func words(_ code: Int32) -> String { String(cString: strerror(code)) }
