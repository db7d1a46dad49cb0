// Asks the C library's resolver, which knows resolv.conf(5), retries, and TCP for long answers.

import Linux

/// Resolves names by /etc/hosts, else by DNS.
package struct SystemResolver: Sendable {
    private let nameserver: SocketAddress?
    private let hosts: HostsFile

    /// - Parameter nameserver: nil for those of /etc/resolv.conf, which is read again for every name.
    package init(nameserver: SocketAddress?, hosts: HostsFile = HostsFile()) {
        self.nameserver = nameserver
        self.hosts = hosts
    }

    package var resolve: NameResolver {
        { name in
            do {
                return try await onThreadOfItsOwn("resolve") { answer(for: name) }
            } catch {
                let failure = NameAnswer.Family.failed("\(error)")
                return NameAnswer(v4: failure, v6: failure)
            }
        }
    }

    private func answer(for name: String) -> NameAnswer {
        if let answer = hosts.answer(for: name) { return answer }
        return NameAnswer(v4: ask(name, ns_t_a), v6: ask(name, ns_t_aaaa))
    }

    private func ask(_ name: String, _ type: ns_type) -> NameAnswer.Family {
        // A DNS message has at most 65,535 bytes.
        var message = [UInt8](repeating: 0, count: 65536)
        let length: Int32
        if var server = nameserver?.raw.0 {
            length = clinux_query(name, Int32(type.rawValue), &server, &message, Int32(message.count))
        } else {
            length = clinux_query(name, Int32(type.rawValue), nil, &message, Int32(message.count))
        }
        switch length {
        case -HOST_NOT_FOUND: return .none(.noSuchName)
        case -NO_DATA: return .none(.noRecord)
        case -NO_RECOVERY: return .failed("the name server refused the question")
        case ..<0: return .failed("no name server gave an answer")
        default: break
        }
        guard let answer = DNSAnswer(Array(message.prefix(Int(length)))) else { return .failed("the name server's answer is malformed") }
        return answer.addresses.isEmpty ? .none(.noRecord) : .addresses(answer.addresses, ttl: answer.ttl)
    }
}
