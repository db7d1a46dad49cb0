// Which external network of one namespace has a name by a wildcard, "*.example.com": by the domains above it, the nearest first.

struct WildcardTable: Sendable {
    /// A network that has a name. Of several the first in order is meant: the longest domain, then by the network's name.
    struct Match: Sendable {
        let network: Int32
        let length: Int
        /// The place of the network's name among those of its namespace.
        let order: Int
    }

    /// By domain, in order.
    private var matches: [String: [Match]] = [:]
    /// The networks that have wildcards, by name.
    let networks: [Int32]

    init(_ networks: [ExternalNetwork]) {
        let named = networks.filter { !$0.domains.isEmpty }.sorted { $0.name < $1.name }
        self.networks = named.map(\.id)
        for (order, network) in named.enumerated() {
            for domain in Set(network.domains) {
                matches[domain, default: []].append(Match(network: network.id, length: domain.utf8.count, order: order))
            }
        }
    }

    /// - Parameters:
    ///   - names: Of one address, in lower case.
    ///   - mayHave: Whether a network does not exclude the address.
    func find(_ names: [String], where mayHave: (Int32) -> Bool) -> Match? {
        var best: Match?
        for name in names {
            for domain in domains(above: name) {
                guard let match = matches[domain]?.first(where: { mayHave($0.network) }) else { continue }
                if best.map({ ($0.length, match.order) < (match.length, $0.order) }) ?? true { best = match }
                // Those further up are shorter.
                break
            }
        }
        return best
    }
}

/// The domains that a name lies under, the longest first: of "a.b.example" these are "b.example" and "example".
public func domains(above name: String) -> some Sequence<String> {
    sequence(state: name[...]) { rest in
        guard let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
        rest = rest[rest.index(after: dot)...]
        return String(rest)
    }
}
