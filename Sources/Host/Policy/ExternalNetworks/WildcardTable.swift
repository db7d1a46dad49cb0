// Which external network of one namespace has a name by a wildcard, "*.example.com": by the domains above it, the nearest first.

struct WildcardTable: Sendable {
    /// A network that has a name. Of several the first in order is meant: the longest domain, then by the network's name.
    struct Match: Sendable {
        let network: Int32
        let length: Int
        /// The place of the network's name among those of its namespace.
        let order: Int
    }

    /// By domain.
    private var matches: [String: Match] = [:]

    init(_ networks: [ExternalNetwork]) {
        for (order, network) in networks.sorted(by: { $0.name < $1.name }).enumerated() {
            for domain in network.domains where matches[domain] == nil {
                matches[domain] = Match(network: network.id, length: domain.utf8.count, order: order)
            }
        }
    }

    var isEmpty: Bool { matches.isEmpty }

    /// The networks that have wildcards, in a fixed order.
    var networks: [Int32] {
        var seen: Set<Int32> = []
        return matches.values.sorted { $0.order < $1.order }.map(\.network).filter { seen.insert($0).inserted }
    }

    /// - Parameter names: Of one address, in lower case.
    func find(_ names: [String]) -> Match? {
        var best: Match?
        for name in names {
            for domain in domains(above: name) {
                guard let match = matches[domain] else { continue }
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
