// HAProxy's runtime socket: one command a connection, its answer up to the end.

import Linux

/// Where HAProxy takes commands (management.txt, section 9.3).
package enum RuntimeAddress: Sendable, Equatable, CustomStringConvertible {
    case path(String)
    case tcp(SocketAddress)

    /// An absolute path that fits into a socket's name (unix(7): 108 bytes with a zero), or ADDRESS:PORT.
    package init?(_ text: String) {
        if text.hasPrefix("/") {
            guard text.utf8.count < 108, !text.utf8.contains(0) else { return nil }
            self = .path(text)
        } else {
            guard let address = SocketAddress(text), address.port != 0 else { return nil }
            self = .tcp(address)
        }
    }

    package var description: String {
        switch self {
        case .path(let path): path
        case .tcp(let address): "\(address)"
        }
    }
}

/// Why there is no answer, and what mends it.
package struct SurveyFailed: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Asks HAProxy; blocks.
package struct RuntimeSocket: Sendable {
    /// HAProxy with 10,000 servers answers "show stat" with this much.
    package static let maximumAnswer = 4 << 20

    let address: RuntimeAddress
    /// Nanoseconds that an answer may take.
    private let patience: UInt64

    package init(_ address: RuntimeAddress, patience: UInt64 = 2_000_000_000) {
        self.address = address
        self.patience = patience
    }

    /// - Parameter acceptsBeginning: An answer that is too long comes as its beginning, instead of an error.
    package func ask(_ command: String, acceptsBeginning: Bool = false) throws(SurveyFailed) -> [UInt8] {
        let deadline = UInt64(clinux_monotonic()) &+ patience
        do throws(SystemCallError) {
            let socket = try connect(deadline)
            let raw = socket.raw
            let request = Array("\(command)\n".utf8)
            let sent = try syscall("send", "\(address)") { send(raw, request, request.count, Int32(MSG_NOSIGNAL)) }
            // A fresh socket takes these few bytes.
            guard sent == request.count else { throw SystemCallError(call: "send", errno: EAGAIN, subject: "\(address)") }
            var answer: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                try wait(raw, POLLIN, deadline)
                let count = try syscall("recv", "\(address)") { recv(raw, &chunk, chunk.count, 0) }
                if count == 0 { break }
                answer += chunk[..<count]
                if answer.count > RuntimeSocket.maximumAnswer {
                    if acceptsBeginning { break }
                    throw SystemCallError(call: "recv", errno: EMSGSIZE, subject: "\(address)")
                }
            }
            return answer
        } catch {
            throw failure(error, command)
        }
    }

    private func connect(_ deadline: UInt64) throws(SystemCallError) -> Descriptor {
        switch address {
        case .path(let path): return try Descriptor(connectingTo: path)
        case .tcp(let peer):
            let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            let family = peer.address.isV4 ? AF_INET : AF_INET6
            let descriptor = Descriptor(owning: try syscall("socket") { socket(family, type, 0) })
            let raw = descriptor.raw
            var (name, length) = peer.raw
            let result = withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(raw, $0, length) } }
            if result < 0 {
                guard clinux_errno() == EINPROGRESS else { throw SystemCallError(call: "connect", errno: clinux_errno(), subject: "\(peer)") }
                try wait(raw, POLLOUT, deadline)
                var code: Int32 = 0
                length = socklen_t(MemoryLayout<Int32>.size)
                try syscall("getsockopt") { getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &length) }
                if code != 0 { throw SystemCallError(call: "connect", errno: code, subject: "\(peer)") }
            }
            return descriptor
        }
    }

    private func wait(_ raw: Int32, _ events: Int32, _ deadline: UInt64) throws(SystemCallError) {
        var polled = pollfd(fd: raw, events: Int16(events), revents: 0)
        let ready = try syscall("poll", "\(address)") {
            let now = UInt64(clinux_monotonic())
            return now >= deadline ? 0 : poll(&polled, 1, Int32(clamping: (deadline - now) / 1_000_000 + 1))
        }
        if ready == 0 { throw SystemCallError(call: "poll", errno: ETIMEDOUT, subject: "\(address)") }
    }

    /// What a failed call means here, and what mends it.
    package func failure(_ error: SystemCallError, _ command: String) -> SurveyFailed {
        let setting = "`stats socket \(address) mode 660 level operator` in its section global"
        let reason =
            switch error.errno {
            case ENOENT, ENOTDIR: "\(address) does not exist: start HAProxy with \(setting), or set `socket` to the path that it has there"
            case EACCES, EPERM:
                "\(address) may not be opened: put the daemon's user into the socket's group, or give the socket another with `group` behind \(setting)"
            case ECONNREFUSED: "nobody listens on \(address): start HAProxy with \(setting)"
            case EAGAIN: "\(address) takes no more connections now: raise `stats maxconn` in HAProxy's section global"
            case ETIMEDOUT:
                "\(address) gave no whole answer to \"\(command)\" in \(patience / 1_000_000) ms: see whether HAProxy is overloaded, or something else listens there"
            case ECONNRESET, EPIPE: "\(address) closed the connection before it had answered \"\(command)\": see whether HAProxy is starting again and again"
            case EMSGSIZE:
                "\(address) answers \"\(command)\" with more than \(RuntimeSocket.maximumAnswer >> 20) MiB: set `socket` to that of an HAProxy with fewer servers"
            default: "\(error)"
            }
        return SurveyFailed(reason)
    }
}
