// What was compiled for local PUs, kept from one snapshot to the next, and shared between PUs that are alike.

import Linux
import SallyportProtocol

struct CompiledUnits: Sendable {
    struct Unit: Sendable {
        let tags: [String]
        var rulesKey: [Int]
        var rules: UnitRules
        var sightKey: Sight.Key
        var sight: Sight
    }

    var units: [Int32: Unit] = [:]
    /// By the serials of the rulesets, rising.
    var rules: [[Int]: UnitRules] = [:]
    var sights: [Sight.Key: Sight] = [:]
    /// The local PUs by namespace and name.
    var order: [Int32] = []
    /// All enabled services by path.
    var services: [Service] = []
    var world: PolicyWorld?
    /// How many atoms and namespaces `world` knew.
    var known = (atoms: UInt32(0), namespaces: 0)

    mutating func forget(_ unit: Int32) { units[unit] = nil }
}

extension PolicyCompiler {
    /// Brings `compiled.units` up to date.
    ///
    /// - Parameter refreshed: Namespaces with new settings.
    mutating func compileUnits(_ refreshed: Set<Int32>) {
        let state = state
        let sightChanged = pending.sight || pending.dependencies || !pending.touched.isEmpty || !refreshed.isEmpty
        var sights = SightBuilder(state: state, implementers: implementers, touched: pending.touched, old: compiled.sights, isStale: sightChanged)
        var rules = pending.rulesets ? [:] : compiled.rules
        for number in locals {
            guard let record = state.units[number]?.record else { continue }
            let old = refreshed.contains(record.namespace) ? nil : compiled.units[number]
            if let old, !pending.rulesets, !sightChanged {
                compiled.units[number] = old
                continue
            }
            let tags = old?.tags ?? record.allTags(state.namespaces)
            let needsRules = old == nil || pending.rulesets
            let needsPolicies = old == nil || pending.dependencies
            let atoms = needsRules || needsPolicies ? state.atoms.satisfied(by: tags) : []

            var rulesKey = old?.rulesKey ?? []
            var unitRules = old?.rules ?? .none
            if needsRules {
                let holding = state.rulesets(for: atoms, in: record.namespace)
                rulesKey = holding.map(\.serial).sorted()
                if let shared = rules[rulesKey] ?? compiled.rules[rulesKey] {
                    unitRules = shared
                } else {
                    unitRules = UnitRules(state.precedence(holding))
                }
            }
            rules[rulesKey] = unitRules

            let sightKey =
                needsPolicies
                ? Sight.Key(
                    namespace: record.namespace,
                    policies: state.dependencies(for: atoms, in: record.namespace).map(\.serial).sorted())
                : old?.sightKey ?? Sight.Key(namespace: record.namespace, policies: [])
            let sight = sights.sight(sightKey) { state.dependencies(for: state.atoms.satisfied(by: tags), in: record.namespace) }
            compiled.units[number] = CompiledUnits.Unit(
                tags: tags, rulesKey: rulesKey, rules: unitRules, sightKey: sightKey, sight: sight)
        }
        // PUs that come and go leave some behind that nobody uses.
        if rules.count > 2 * locals.count + 64 {
            rules = Dictionary(compiled.units.values.map { ($0.rulesKey, $0.rules) }) { first, _ in first }
        }
        compiled.rules = rules
        compiled.sights = sights.built
    }
}

/// Builds each `Sight` once, or takes the old one where nothing that it shows has changed.
struct SightBuilder {
    private let state: PolicyState
    private let implementers: [Int32: Set<Int32>]
    private let touched: NumberSet
    private let old: [Sight.Key: Sight]
    private(set) var built: [Sight.Key: Sight]
    private var frontends: [NumberSet: Set<PlannedFrontend>] = [:]
    private var reach: [Int: NumberSet] = [:]

    /// - Parameter isStale: Whether `old` must be looked at again.
    init(state: PolicyState, implementers: [Int32: Set<Int32>], touched: NumberSet, old: [Sight.Key: Sight], isStale: Bool) {
        self.state = state
        self.implementers = implementers
        self.touched = touched
        self.old = old
        built = isStale ? [:] : old
    }

    mutating func sight(_ key: Sight.Key, _ policies: () -> [CompiledDependency]) -> Sight {
        if let known = built[key] { return known }
        var services = NumberSet()
        if state.namespaces.settings[Int(key.namespace)].dependsByDefault {
            services = state.services.holding(in: key.namespace, state.namespaces)
        }
        for policy in key.policies.isEmpty ? [] : policies() {
            let reached = reach[policy.serial] ?? state.services(of: policy)
            reach[policy.serial] = reached
            services.formUnion(reached)
        }
        let sight: Sight
        if let old = old[key], old.services == services, !services.intersects(touched) {
            sight = old
        } else {
            sight = Sight(
                services: services, frontends: frontends(of: services),
                overlaps: state.services.overlaps(services, from: key.namespace, state.namespaces))
        }
        built[key] = sight
        return sight
    }

    private mutating func frontends(of services: NumberSet) -> Set<PlannedFrontend> {
        if let known = frontends[services] { return known }
        var found: Set<PlannedFrontend> = []
        services.forEach { number in
            guard let service = state.services[number] else { return }
            for frontend in state.services.frontends(of: service) {
                found.insert(PlannedFrontend(cidr: frontend.cidr, port: frontend.port))
            }
            for unit in implementers[number] ?? [] {
                for address in state.units[unit]?.record.addresses ?? [] {
                    found.insert(PlannedFrontend(cidr: CIDR(address), port: service.targetPort))
                }
            }
        }
        frontends[services] = found
        return found
    }
}
