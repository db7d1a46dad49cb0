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

    /// The names of an address, each confirmed by its own addresses.
    package var names: AddressResolver {
        { address in
            do {
                return try await onThreadOfItsOwn("resolve") { names(of: address) }
            } catch {
                var failed = AddressNames()
                failed.problem = "\(error)"
                return failed
            }
        }
    }

    private func names(of address: IPAddress) -> AddressNames {
        var found = AddressNames()
        found.names = hosts.names(of: address)
        if !found.names.isEmpty {
            found.ttl = HostsFile.ttl
            return found
        }
        switch ask(address.reverseName, ns_t_ptr) {
        case .answer(let claims):
            found.ttl = claims.ttl
            found.confirm(claims.names, of: address) { name in
                if let listed = hosts.answer(for: name) { return address.isV4 ? listed.v4 : listed.v6 }
                return addresses(of: name, address.isV4 ? ns_t_a : ns_t_aaaa)
            }
        case .none: break
        case .failed(let reason): found.problem = reason
        }
        return found
    }

    private func answer(for name: String) -> NameAnswer {
        if let answer = hosts.answer(for: name) { return answer }
        return NameAnswer(v4: addresses(of: name, ns_t_a), v6: addresses(of: name, ns_t_aaaa))
    }

    private func addresses(of name: String, _ type: ns_type) -> NameAnswer.Family {
        switch ask(name, type) {
        case .answer(let answer): answer.addresses.isEmpty ? .none(.noRecord) : .addresses(answer.addresses, ttl: answer.ttl)
        case .none(let why): .none(why)
        case .failed(let reason): .failed(reason)
        }
    }

    private enum Reply {
        case answer(DNSAnswer)
        case none(NameAnswer.NoAddress)
        case failed(String)
    }

    private func ask(_ name: String, _ type: ns_type) -> Reply {
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
        return .answer(answer)
    }
}
