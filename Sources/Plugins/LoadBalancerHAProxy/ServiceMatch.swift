// From a service to its frontend in HAProxy, that frontend's backend, and the servers there. Nothing is guessed.

import Linux
import PluginKit
import SallyportProtocol

/// Finds services in HAProxy. A value without I/O.
package struct ServiceMatch: Sendable, Equatable {
    /// In one message with up to 3 MiB of frontends.
    private static let maximumBytes = 512 << 10

    /// "/acme/web" to the frontend's name, where ports do not tell.
    package var frontends: [String: String]
    /// A frontend's name to its backend's: the runtime socket does not tell `default_backend`.
    package var backends: [String: String]

    package init(frontends: [String: String] = [:], backends: [String: String] = [:]) {
        self.frontends = frontends
        self.backends = backends
    }

    private struct Unmatched: Error {
        let reason: String
    }

    package func inside(
        _ snapshot: Snapshot, of service: Sallyport_Policy_V1_ObjectKey, _ balancer: Sallyport_Policy_V1_TCPService.LoadBalancer,
        at addresses: [Sallyport_Plugin_V1_Frontend]
    ) -> LoadBalancerInside {
        var inside = LoadBalancerInside()
        var problems: [String] = []
        do throws(Unmatched) {
            let frontend = try frontend(in: snapshot, of: service, port: balancer.port, at: addresses)
            if let status = snapshot.proxies.frontends[frontend]?.status, status != "OPEN" {
                problems.append("HAProxy's frontend \(frontend) is \(printable(status)), and takes no connections")
            }
            let (name, backend) = try backend(in: snapshot, of: frontend)
            if backend.status.hasPrefix("DOWN") {
                problems.append("HAProxy's backend \(name) is \(printable(backend.status)): none of its servers takes connections")
            }
            var bytes = 0
            inside.backends = backend.servers.prefix {
                bytes += $0.name.utf8.count + $0.detail.utf8.count + 40  // tags, lengths, numbers and 16 bytes of address
                return bytes <= ServiceMatch.maximumBytes
            }.map { server in
                var server = server
                let own = String(server.name.dropFirst(name.count + 1))  // behind "BACKEND/"
                server.proxyProtocol = snapshot.file?.configuration?.proxyProtocol(of: own, in: name) ?? .unknown
                return server
            }
            if inside.backends.count < backend.servers.count {
                problems.append("HAProxy's backend \(name) has \(backend.servers.count) servers, of which \(inside.backends.count) are shown")
            }
        } catch {
            problems.append(error.reason)
        }
        inside.problem = problems.joined(separator: "; ")
        return inside
    }

    private func frontend(
        in snapshot: Snapshot, of service: Sallyport_Policy_V1_ObjectKey, port: UInt32, at addresses: [Sallyport_Plugin_V1_Frontend]
    ) throws(Unmatched) -> String {
        let key = "\(service.namespace)/\(service.name)"
        if let name = frontends[key] {
            if snapshot.proxies.frontends[name] != nil { return name }
            throw Unmatched(reason: "HAProxy has no frontend \(name): set frontends.\(key) to one of \(listed(snapshot.proxies.frontends.keys))")
        }
        let found = snapshot.frontends(on: port)
        if found.count == 1 { return found[0] }
        if found.isEmpty {
            throw Unmatched(
                reason: "no frontend of HAProxy listens on port \(port): set frontends.\(key) to one of \(listed(snapshot.proxies.frontends.keys)), if one is the service's all the same")
        }
        let own = Set(addresses.filter { $0.prefixLength == ($0.address.count == 4 ? 32 : 128) }.compactMap { IPAddress(bytes: $0.address) })
        let bound = found.filter { name in
            snapshot.proxies.frontends[name]?.listeners.contains { $0.port == port && own.contains($0.address) } == true
        }
        if bound.count == 1 { return bound[0] }
        if found.contains(service.name) { return service.name }
        throw Unmatched(reason: "HAProxy's frontends \(listed(found)) all listen on port \(port): set frontends.\(key) to the service's")
    }

    private func backend(in snapshot: Snapshot, of frontend: String) throws(Unmatched) -> (name: String, ProxyTable.Backend) {
        let all = snapshot.proxies.backends
        if let name = backends[frontend] {
            if let backend = all[name] { return (name, backend) }
            throw Unmatched(reason: "HAProxy has no backend \(name): set backends.\(frontend) to one of \(listed(all.keys))")
        }
        switch snapshot.file?.configuration?.frontends[frontend] {
        case .backend(let name)?: if let backend = all[name] { return (name, backend) }
        case .open?: throw Unmatched(reason: "HAProxy's frontend \(frontend) has `use_backend` rules: set backends.\(frontend) to one of \(listed(all.keys))")
        case .own?, nil:
            // A section `listen`. Without servers it passes connections to another.
            if let backend = all[frontend], backend.id == snapshot.proxies.frontends[frontend]?.id, !backend.servers.isEmpty { return (frontend, backend) }
        }
        throw Unmatched(
            reason: "HAProxy does not tell which backend its frontend \(frontend) has: set backends.\(frontend) to one of \(listed(all.keys)), or `configuration` to HAProxy's file")
    }

    /// At most ten names.
    private func listed(_ names: some Collection<String>) -> String {
        if names.isEmpty { return "none" }
        let shown = names.sorted().prefix(10).map(printable).joined(separator: ", ")
        return names.count > 10 ? "\(shown) …" : shown
    }
}
