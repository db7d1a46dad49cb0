// Atoms, namespaces and kept tags get numbers or places and never give them back. Once more has gone than is there,
// everything is built again from the objects in force.

import SallyportProtocol

extension PolicyCompiler {
    /// So many changes pay for doing all of it again.
    private static let minimumRetired = 16384

    var isOvergrown: Bool {
        let live = numbers.units.count + numbers.services.count + numbers.dependencies.count + numbers.rulesets.count
            + numbers.externalNetworks.count
        return retired > 2 * live + PolicyCompiler.minimumRetired
    }

    /// How many atoms, namespaces and tags are kept, in use or not.
    package var retainedNumbers: Int {
        Int(state.atoms.count) + Int(state.serviceTags.atoms.count) + state.namespaces.nodes.count + tagPool.count
    }

    mutating func rebuild() {
        let old = self
        state = PolicyState()
        numbers = ObjectNumbers()
        implementers = [:]
        locals = []
        tagPool = []
        retired = 0
        pending = PendingChanges()
        compiled = CompiledUnits()

        let paths = old.state.namespaces
        func place(_ namespace: Int32, _ name: String) -> ObjectNumbers.Place {
            ObjectNumbers.Place(namespace: state.namespaces.number(paths[namespace].path), name: name)
        }
        for number in paths.nodes.indices.map(Int32.init) {
            guard let document = paths.document(number) else { continue }
            state.namespaces.setDocument(state.namespaces.number(paths[number].path), document)
        }
        for number in old.numbers.services.values {
            guard let service = old.state.services[number] else { continue }
            let place = place(service.scope, service.name)
            install(service.message, at: place)
            if old.state.services.isResolved(number), let new = numbers.services[place] {
                state.services.setFrontends(new, old.state.services.frontends(of: service))
            }
        }
        for number in old.numbers.dependencies.values {
            guard let policy = old.state.dependencies[number] else { continue }
            install(policy.message, at: place(policy.namespace, policy.name))
        }
        for number in old.numbers.rulesets.values {
            guard let ruleset = old.state.rulesets[number] else { continue }
            install(ruleset.message, at: place(ruleset.namespace, ruleset.name))
        }
        for number in old.numbers.externalNetworks.values {
            guard let network = old.state.externalNetworks.networks[number] else { continue }
            install(network.message, at: place(network.scope, network.name))
        }
        for number in old.numbers.units.values {
            guard let record = old.state.units[number]?.record else { continue }
            let place = place(record.namespace, record.name)
            install(record.moved(to: place.namespace, pool: &tagPool), at: place)
        }
    }
}
