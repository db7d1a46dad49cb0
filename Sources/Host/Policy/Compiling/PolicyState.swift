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
    /// The enabled services whose target a PU is, rising.
    func services(implementedBy atoms: [UInt32], in namespace: Int32) -> [Int32] {
        services.targets.objects(holdingIn: namespace, namespaces, selecting: atoms) { entry in
            services[entry.object]?.target.clauses[Int(entry.clause)].matches(atoms) == true
        }
    }

    /// The rulesets that hold for a PU, in no order. Those with `fallback` only where there is no other.
    func rulesets(for atoms: [UInt32], in namespace: Int32) -> [CompiledRuleset] {
        let found = rulesetSubjects.objects(holdingIn: namespace, namespaces, selecting: atoms) { entry in
            rulesets[entry.object]?.subject.clauses[Int(entry.clause)].matches(atoms) == true
        }.compactMap { rulesets[$0] }
        let others = found.filter { !$0.message.fallback }
        return others.isEmpty ? found : others
    }

    /// The service dependency policies that hold for a PU, in no order; `fallback` as for rulesets. The namespace's
    /// implicit dependency is no policy in this sense.
    func dependencies(for atoms: [UInt32], in namespace: Int32) -> [CompiledDependency] {
        let found = dependencySubjects.objects(holdingIn: namespace, namespaces, selecting: atoms) { entry in
            dependencies[entry.object]?.subject.clauses[Int(entry.clause)].matches(atoms) == true
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

    /// Nearest namespace first, then by name; the rules of what comes first decide before those of the rest.
    func precedence(_ rulesets: [CompiledRuleset]) -> [CompiledRuleset] {
        // All hold for one PU, so their namespaces are on one path and the deeper one is nearer.
        rulesets.sorted { left, right in
            left.namespace != right.namespace ? left.namespace > right.namespace : left.name < right.name
        }
    }
}
