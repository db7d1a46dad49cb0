// The names among external networks' entries: resolved by the adapter that resolves services' names, with TTL and grace.

import Linux
import Policy
import PolicyDocuments
import SallyportProtocol

/// Which external networks have names. A value without I/O.
struct NamedNetworks: Sendable {
    typealias Key = Sallyport_Policy_V1_ObjectKey

    private var known: Set<Key> = []

    /// Takes new versions of external networks.
    /// - Returns: What the adapter is to be told: a service that is only names, with a port that means nothing.
    mutating func follow(
        _ networks: [Sallyport_Policy_V1_Object], removed: [Key]
    ) -> (upserts: [Sallyport_Plugin_V1_AdaptedService], removes: [Key]) {
        var upserts: [Sallyport_Plugin_V1_AdaptedService] = []
        var removes = removed.filter { known.remove($0) != nil }
        for object in networks {
            let names = object.externalNetwork.entries.compactMap { entry -> String? in
                if case .name(let name)? = try? ExternalEntry(entry) { name } else { nil }
            }
            if names.isEmpty {
                if known.remove(object.key) != nil { removes.append(object.key) }
                continue
            }
            known.insert(object.key)
            upserts.append(.with {
                $0.key = object.key
                $0.loadBalancer.hosts = names
                $0.loadBalancer.port = 1
            })
        }
        return (upserts, removes)
    }

    func has(_ network: Key) -> Bool { known.contains(network) }
}

extension Enforcer {
    /// Takes the addresses that the names of an external network have now.
    /// - Returns: Whether they are others than before.
    func take(addresses resolved: Sallyport_Plugin_V1_Frontends) -> Bool {
        let addresses = resolved.frontends.compactMap { frontend in
            IPAddress(bytes: frontend.address).map { ResolvedAddress(name: frontend.host, address: $0) }
        }
        // Nothing known yet, and why: what was known before stays.
        if addresses.isEmpty && !resolved.problem.isEmpty { return false }
        return compiler.setAddresses(resolved.service, addresses)
    }
}
