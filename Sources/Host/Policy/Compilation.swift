// One compilation: what holds where, for each local PU.

import Linux
import SallyportProtocol

extension PolicyCompiler {
    /// Compiles all objects in force.
    public mutating func compile() -> PolicySnapshot {
        generation += 1
        var compilation = Compilation(objects: objects, resolved: resolved, enforcer: enforcer, hostname: hostname)
        return compilation.run(generation: generation)
    }
}

struct Compilation {
    typealias Key = Sallyport_Policy_V1_ObjectKey
    typealias Object = Sallyport_Policy_V1_Object

    let objects: [Key: Object]
    let resolved: [Key: [Frontend]]
    let enforcer: String
    let hostname: String
    var atoms = TagAtoms()

    struct Unit {
        let key: UnitKey
        let spec: Sallyport_Policy_V1_ProcessingUnit
        let tags: [String]
    }
    struct Dependency {
        let key: Key
        let spec: Sallyport_Policy_V1_ServiceDependencyPolicy
        let subject: CompiledSelector
        let object: CompiledSelector
    }
    struct Ruleset {
        let key: Key
        let spec: Sallyport_Policy_V1_NetworkRuleset
        let subject: CompiledSelector
        let incoming: [(RuleTable.Rule, observe: Bool)]
        let outgoing: [(RuleTable.Rule, observe: Bool)]
    }

    mutating func run(generation: UInt64) -> PolicySnapshot {
        let ordered = objects.values.sorted { ($0.key.namespace, $0.key.name) < ($1.key.namespace, $1.key.name) }
        var services: [Service] = []
        var units: [Unit] = []
        var dependencies: [Dependency] = []
        var rulesets: [Ruleset] = []
        var networks: [(Key, Sallyport_Policy_V1_ExternalNetwork)] = []
        var namespaces: [String: Sallyport_Policy_V1_Namespace] = [:]
        for object in ordered {
            if case .namespace(let spec)? = object.spec {
                namespaces[object.key.name == "/" ? "/" : join(object.key.namespace, object.key.name)] = spec
            }
        }
        var counts = PolicyCounts()
        counts.namespaces = namespaces.count
        for object in ordered {
            let key = object.key
            switch object.spec {
            case .tcpService(let spec)?:
                counts.services += 1
                let derived = ["$identity=service", "$name=\(key.name)", "$namespace=\(key.namespace)"]
                services.append(
                    Service(
                        id: Int32(services.count), namespace: key.namespace, name: key.name, spec: spec,
                        target: CompiledSelector(spec.target.selector, atoms: &atoms), tags: (derived + spec.tags).sorted()))
            case .processingUnit(let spec)?:
                units.append(Unit(key: UnitKey(namespace: key.namespace, name: key.name), spec: spec, tags: tags(key, spec, namespaces)))
            case .serviceDependencyPolicy(let spec)?:
                counts.dependencies += 1
                dependencies.append(
                    Dependency(
                        key: key, spec: spec, subject: CompiledSelector(spec.subject, atoms: &atoms),
                        object: CompiledSelector(spec.object, atoms: &atoms)))
            case .networkRuleset(let spec)?:
                counts.rulesets += 1
                rulesets.append(
                    Ruleset(
                        key: key, spec: spec, subject: CompiledSelector(spec.subject, atoms: &atoms),
                        incoming: rules(spec.incoming, key), outgoing: rules(spec.outgoing, key)))
            case .externalNetwork(let spec)?:
                counts.externalNetworks += 1
                networks.append((key, spec))
            default: break
            }
        }
        let external = networks.map { key, spec in
            let tags = (["$identity=externalnetwork", "$name=\(key.name)", "$namespace=\(key.namespace)"] + spec.tags).sorted()
            return PolicySnapshot.ExternalNetwork(
                namespace: key.namespace, name: key.name, propagate: spec.propagate, tags: tags,
                peer: PeerTags(atoms: atoms.satisfied(by: tags), namespace: key.namespace),
                included: spec.entries.compactMap { CIDR($0) },
                excluded: spec.entries.filter { $0.hasPrefix("!") }.compactMap { CIDR($0.dropFirst()) })
        }
        counts.units = units.count
        let disabled = Set(objects.values.filter { $0.tcpService.disabled }.map { join($0.key.namespace, $0.key.name) })
        let enabled = services.filter { !disabled.contains($0.path) }
        let targets = units.map { unit in
            let satisfied = atoms.satisfied(by: unit.tags)
            return enabled.filter { holds($0.namespace, propagate: $0.propagate, in: unit.key.namespace) && $0.target.matches(satisfied) }
        }
        var locals: [UnitPolicy] = []
        for (unit, served) in zip(units, targets) where isLocal(unit.spec) {
            let place = unit.key.namespace
            let satisfied = atoms.satisfied(by: unit.tags)
            let chain = Array(sequence(first: place) { parent(of: $0) })
            func precedes(_ one: Key, _ other: Key) -> Bool {
                let (left, right) = (distance(one.namespace, place), distance(other.namespace, place))
                return left != right ? left < right : (one.namespace, one.name) < (other.namespace, other.name)
            }

            // Visibility.
            var seen = dependencies.filter {
                !$0.spec.disabled && holds($0.key.namespace, propagate: $0.spec.propagate, in: place) && $0.subject.matches(satisfied)
            }
            if seen.contains(where: { !$0.spec.fallback }) { seen.removeAll { $0.spec.fallback } }
            let byDefault = chain.lazy.compactMap { namespaces[$0]?.serviceDependencyDefault }.first { $0 != .inherit } != .disabled
            let visible = enabled.filter { service in
                if byDefault && holds(service.namespace, propagate: service.propagate, in: place) { return true }
                let tags = atoms.satisfied(by: service.tags)
                return seen.contains { policy in
                    let within = policy.key.namespace == service.namespace || isBelow(service.namespace, policy.key.namespace)
                        || holds(service.namespace, propagate: service.propagate, in: policy.key.namespace)
                    return within && policy.object.matches(tags)
                }
            }.sorted {
                let (left, right) = (distance($0.namespace, place), distance($1.namespace, place))
                return left != right ? left < right : ($0.namespace, $0.name) < ($1.namespace, $1.name)
            }
            var lookup = ServiceLookup()
            var plan = UnitPlan(servedPorts: Set(served.map(\.targetPort)))
            for service in visible {
                for frontend in frontends(service) {
                    plan.frontends.insert(PlannedFrontend(cidr: frontend.cidr, port: frontend.port))
                    let key = ServiceLookup.Key(base: frontend.cidr.base, prefix: frontend.cidr.prefix, port: frontend.port)
                    if lookup.frontends[key] == nil { lookup.frontends[key] = service }
                }
                for (other, implemented) in zip(units, targets) where implemented.contains(where: { $0 === service }) {
                    for address in other.spec.addresses.compactMap({ IPAddress($0) }) {
                        plan.frontends.insert(PlannedFrontend(cidr: CIDR(address), port: service.targetPort))
                        let key = SocketAddress(address, service.targetPort)
                        if lookup.direct[key] == nil { lookup.direct[key] = service }
                    }
                }
            }
            lookup.prefixes = Set(lookup.frontends.keys.map(\.prefix)).sorted(by: >)

            // Rules.
            var holding = rulesets.filter {
                !$0.spec.disabled && holds($0.key.namespace, propagate: $0.spec.propagate, in: place) && $0.subject.matches(satisfied)
            }
            if holding.contains(where: { !$0.spec.fallback }) { holding.removeAll { $0.spec.fallback } }
            holding.sort { precedes($0.key, $1.key) }

            func defaultAction(_ direction: (Sallyport_Policy_V1_Namespace.DefaultAction) -> Sallyport_Policy_V1_InheritableAction)
                -> UnitPolicy.DefaultAction
            {
                for namespace in chain {
                    let action = namespaces[namespace].map { direction($0.defaultAction) } ?? .inherit
                    if action == .inherit { continue }
                    return UnitPolicy.DefaultAction(
                        allows: action == .allow,
                        reference: RuleReference(namespace: namespace, ruleset: "", rule: "", isDefault: true))
                }
                return UnitPolicy.DefaultAction(
                    allows: false, reference: RuleReference(namespace: "/", ruleset: "", rule: "", isDefault: true))
            }
            let networkNamespace: UnitNetworkNamespace =
                switch unit.spec.networkNamespace {
                case .networkNamespacePath(let path)?: .path(path)
                case .networkNamespacePid(let pid)?: .pid(pid)
                case nil: .host
                }
            locals.append(
                UnitPolicy(
                    key: unit.key, type: unit.spec.type, tags: unit.tags, networkNamespace: networkNamespace, cgroup: unit.spec.cgroup,
                    addresses: unit.spec.addresses.compactMap { IPAddress($0) },
                    onPolicyChange: chain.lazy.compactMap { namespaces[$0]?.onPolicyChange }.first { $0 != .inherit } ?? .reset,
                    failureMode: chain.lazy.compactMap { namespaces[$0]?.failureMode }.first { $0 != .inherit } ?? .closed,
                    plan: plan, outgoing: table(holding.flatMap(\.outgoing)), incoming: table(holding.flatMap(\.incoming)),
                    outgoingDefault: defaultAction(\.outgoing), incomingDefault: defaultAction(\.incoming), lookup: lookup,
                    served: served.sorted { precedes(Key.with($0), Key.with($1)) }))
        }
        counts.localUnits = locals.count
        return PolicySnapshot(
            generation: generation, units: locals, services: services, problems: [], counts: counts, atoms: atoms, external: external)
    }

    private func isLocal(_ unit: Sallyport_Policy_V1_ProcessingUnit) -> Bool {
        (unit.node.isEmpty || unit.node == enforcer) && (unit.networkNamespace != nil || unit.type == .host || unit.type == .hostService)
    }

    private func tags(
        _ key: Key, _ spec: Sallyport_Policy_V1_ProcessingUnit, _ namespaces: [String: Sallyport_Policy_V1_Namespace]
    ) -> [String] {
        let type: String? =
            switch spec.type {
            case .host: "Host"
            case .hostService: "HostService"
            case .container: "Container"
            default: nil
            }
        var tags = ["$identity=processingunit", "$name=\(key.name)", "$namespace=\(key.namespace)", "$id=\(join(key.namespace, key.name))"]
        if let type { tags.append("$type=\(type)") }
        if isLocal(spec) { tags.append("@os:hostname=\(hostname)") }
        var inherited: Set<Substring> = []
        for namespace in sequence(first: key.namespace, next: { parent(of: $0) }) {
            for tag in namespaces[namespace]?.tags ?? [] where inherited.insert(tag.prefix { $0 != "=" }).inserted {
                tags.append("@org:\(tag)")
            }
        }
        return Set(tags + spec.tags).sorted()
    }

    private mutating func rules(_ rules: [Sallyport_Policy_V1_NetworkRuleset.Rule], _ key: Key) -> [(RuleTable.Rule, observe: Bool)] {
        rules.enumerated().map { index, rule in
            let reference = RuleReference(
                namespace: key.namespace, ruleset: key.name, rule: rule.name.isEmpty ? "#\(index)" : rule.name, logs: !rule.silent)
            return (
                RuleTable.Rule(
                    reference: reference, allows: rule.action == .allow, object: CompiledSelector(rule.object, atoms: &atoms),
                    ports: PortRanges(rule.ports)), rule.observe
            )
        }
    }

    private func table(_ rules: [(RuleTable.Rule, observe: Bool)]) -> RuleTable {
        func ordered(_ rules: [RuleTable.Rule]) -> [RuleTable.Rule] { rules.filter { !$0.allows } + rules.filter(\.allows) }
        return RuleTable(
            enforced: ordered(rules.filter { !$0.observe }.map(\.0)), observed: ordered(rules.filter(\.observe).map(\.0)))
    }

    private func frontends(_ service: Service) -> [Frontend] {
        let key = Key.with {
            $0.kind = .tcpService
            $0.namespace = service.namespace
            $0.name = service.name
        }
        if let resolved = resolved[key] { return resolved }
        return (objects[key]?.tcpService.loadBalancer.addresses ?? []).compactMap { CIDR($0) }
            .map { Frontend(cidr: $0, port: service.port) }
    }
}

extension Sallyport_Policy_V1_ObjectKey {
    static func with(_ service: Service) -> Self {
        .with {
            $0.kind = .tcpService
            $0.namespace = service.namespace
            $0.name = service.name
        }
    }
}
