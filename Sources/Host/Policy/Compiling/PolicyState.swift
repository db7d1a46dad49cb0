// Everything policy is made of. Values with shared storage, so that a snapshot keeps it by copying and the compiler
// changes only what it touches.

import SallyportProtocol

struct PolicyState: Sendable {
    /// The atoms of selectors of PUs and external networks.
    var atoms = TagAtoms()
    var namespaces = NamespaceTree()
    var units = Slots<UnitEntry>()
    var services = ServiceCatalog()
    /// The services' tags, as dependency policies ask about them.
    var serviceTags = ServiceTags()
    var dependencies = Slots<CompiledDependency>()
    var dependencySubjects = ScopedIndex()
    var rulesets = Slots<CompiledRuleset>()
    var rulesetSubjects = ScopedIndex()
    var externalNetworks = ExternalCatalog()

    struct UnitEntry: Sendable {
        var record: UnitRecord
        /// Numbers of the services whose target it is, rising.
        var implements: [Int32] = []
    }
}

extension PolicyState {
    /// The enabled services whose target a PU is.
    func services(implementedBy atoms: [UInt32], in namespace: Int32) -> [Int32] {
        holding(in: namespace) { place, isInherited in
            services.targets.objects(in: place, satisfying: atoms) { entry in
                guard let service = services[entry.object], service.propagate || !isInherited else { return false }
                return service.target.clauses[Int(entry.clause)].matches(atoms)
            }
        }.sorted()
    }

    /// The rulesets that hold for a PU, in no order. Those with `fallback` only where there is no other.
    func rulesets(for atoms: [UInt32], in namespace: Int32) -> [CompiledRuleset] {
        let found = holding(in: namespace) { place, isInherited in
            rulesetSubjects.objects(in: place, satisfying: atoms) { entry in
                guard let ruleset = rulesets[entry.object], ruleset.message.propagate || !isInherited else { return false }
                return ruleset.subject.clauses[Int(entry.clause)].matches(atoms)
            }
        }.compactMap { rulesets[$0] }
        let others = found.filter { !$0.message.fallback }
        return others.isEmpty ? found : others
    }

    /// The service dependency policies that hold for a PU, in no order; `fallback` as for rulesets. The namespace's
    /// implicit dependency is no policy in this sense.
    func dependencies(for atoms: [UInt32], in namespace: Int32) -> [CompiledDependency] {
        let found = holding(in: namespace) { place, isInherited in
            dependencySubjects.objects(in: place, satisfying: atoms) { entry in
                guard let policy = dependencies[entry.object], policy.message.propagate || !isInherited else { return false }
                return policy.subject.clauses[Int(entry.clause)].matches(atoms)
            }
        }.compactMap { dependencies[$0] }
        let others = found.filter { !$0.message.fallback }
        return others.isEmpty ? found : others
    }

    /// The services that a dependency policy gives sight of.
    func services(of policy: CompiledDependency) -> NumberSet {
        serviceTags.matching(policy.object) { number in
            services[number].map { $0.isEnabled && policy.reaches($0, namespaces) } ?? false
        }
    }

    /// Asks the namespace itself and each above it.
    private func holding(in namespace: Int32, _ objects: (_ place: Int32, _ isInherited: Bool) -> [Int32]) -> [Int32] {
        var found = objects(namespace, false)
        var above = namespaces[namespace].parent
        while above >= 0 {
            found += objects(above, true)
            above = namespaces[above].parent
        }
        return found
    }

    /// Nearest namespace first, then by name; the rules of what comes first decide before those of the rest.
    func precedence(_ rulesets: [CompiledRuleset]) -> [CompiledRuleset] {
        // All hold for one PU, so their namespaces are on one path and the deeper one is nearer.
        rulesets.sorted { left, right in
            left.namespace != right.namespace ? left.namespace > right.namespace : left.name < right.name
        }
    }
}
