// Which services a dependency policy's object selects.

struct ServiceTags: Sendable {
    /// The atoms of the objects of dependency policies. Those of PUs' selectors are others.
    var atoms = TagAtoms()
    /// For how many atoms `satisfied` was worked out.
    private var known: UInt32 = 0
    /// What each service satisfies, by its number.
    private var satisfied: [Int32: [UInt32]] = [:]
    /// The services that satisfy an atom.
    private var users: [UInt32: Set<Int32>] = [:]

    mutating func set(_ service: Service) {
        remove(service.id)
        guard known > 0 else { return }
        file(service)
    }

    mutating func remove(_ service: Int32) {
        for atom in satisfied.removeValue(forKey: service) ?? [] { users[atom]?.remove(service) }
    }

    /// Looks at all services again if there are new atoms; nothing is kept before the first dependency policy.
    mutating func refresh(_ services: Slots<Service>) {
        guard atoms.count != known, atoms.count > 1 else { return }
        known = atoms.count
        satisfied = [:]
        users = [:]
        services.forEach { file($1) }
    }

    private mutating func file(_ service: Service) {
        let found = atoms.satisfied(by: service.tags)
        satisfied[service.id] = found
        for atom in found { users[atom, default: []].insert(service.id) }
    }

    /// The services that `selector` matches, in no order.
    func matching(_ selector: CompiledSelector, _ accepts: (Int32) -> Bool) -> NumberSet {
        var matching = NumberSet()
        for clause in selector.clauses {
            let anchor = clause.required.min { users[$0]?.count ?? 0 < users[$1]?.count ?? 0 } ?? TagAtoms.anything
            for service in users[anchor] ?? [] where clause.matches(satisfied[service] ?? []) && accepts(service) {
                matching.insert(service)
            }
        }
        return matching
    }
}
