// All external networks, and for each namespace the table that finds them by address.

import Linux
import SallyportProtocol

struct ExternalCatalog: Sendable {
    private(set) var networks = Slots<ExternalNetwork>()
    private var residents: [Int32: Set<Int32>] = [:]
    private var tables: [Int32: Tables] = [:]
    /// Namespaces whose tables no longer say what their networks do.
    private var stale: Set<Int32> = []
    /// The domains of all wildcards.
    private(set) var domains: Set<String> = []

    private struct Tables: Sendable {
        /// For PUs of the namespace itself.
        let own: ExternalTable
        /// For PUs below it; nil if no network propagates.
        let propagating: ExternalTable?
    }

    mutating func add(_ make: (Int32) -> ExternalNetwork) -> Int32 {
        let number = networks.add(make)
        if let network = networks[number] {
            residents[network.scope, default: []].insert(number)
            stale.insert(network.scope)
        }
        return number
    }

    /// Replaces a network by its next version, of the same namespace.
    mutating func replace(_ network: ExternalNetwork) {
        networks.replace(network.id, network)
        stale.insert(network.scope)
    }

    mutating func remove(_ number: Int32) {
        guard let network = networks[number] else { return }
        residents[network.scope]?.remove(number)
        stale.insert(network.scope)
        networks.remove(number)
    }

    /// Builds the tables anew where networks have changed.
    mutating func refresh() {
        if stale.isEmpty { return }
        domains = []
        networks.forEach { domains.formUnion($1.domains) }
        for namespace in stale {
            let holding = (residents[namespace] ?? []).compactMap { networks[$0] }
            if holding.isEmpty {
                tables[namespace] = nil
                residents[namespace] = nil
                continue
            }
            let propagating = holding.filter(\.propagates)
            let own = ExternalTable(holding)
            tables[namespace] = Tables(
                own: own,
                propagating: propagating.isEmpty ? nil : propagating.count == holding.count ? own : ExternalTable(propagating))
        }
        stale = []
    }

    /// The tables that hold for PUs of a namespace, the nearest first.
    func tables(for namespace: Int32, _ tree: NamespaceTree) -> [ExternalTable] {
        var found: [ExternalTable] = []
        if let own = tables[namespace]?.own { found.append(own) }
        var above = tree[namespace].parent
        while above >= 0 {
            if let table = tables[above]?.propagating { found.append(table) }
            above = tree[above].parent
        }
        return found
    }
}
