// Which external network of one namespace has a name by a wildcard, "*.example.com": by the domains above it, the nearest first.

import Linux

struct WildcardTable: Sendable {
    struct Match: Sendable {
        let network: Int32
        /// Of the domain, in bytes. Of those above one name the longest is the nearest.
        let length: Int
    }

    /// Those that have wildcards, in order of their names.
    let networks: [ExternalNetwork]
    /// Indices of networks, by domain, rising.
    private var byDomain: [String: [Int]] = [:]

    /// - Parameter all: In order of their names.
    init(_ all: [ExternalNetwork]) {
        networks = all.filter { !$0.domains.isEmpty }
        for (index, network) in networks.enumerated() { for domain in network.domains { byDomain[domain, default: []].append(index) } }
    }

    /// The longest wildcard above one of an address's names, of a network that does not exclude the address; of equals the first.
    /// - Parameter names: In lower case.
    func find(_ names: [String], of address: IPAddress) -> Match? {
        var best: (length: Int, index: Int)?
        for name in names {
            for domain in domains(above: name) {
                guard let index = byDomain[domain]?.first(where: { !networks[$0].excludes(address) }) else { continue }
                let length = domain.utf8.count
                if best.map({ ($0.length, index) < (length, $0.index) }) ?? true { best = (length, index) }
                // Those further up are shorter.
                break
            }
        }
        return best.map { Match(network: networks[$0.index].id, length: $0.length) }
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
