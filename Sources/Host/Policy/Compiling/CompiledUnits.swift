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
        let changes = state.services.takeChanges()
        let state = state
        let isSightStale = pending.sight || pending.dependencies || !pending.touched.isEmpty || !refreshed.isEmpty
        var sights = SightBuilder(
            state: state, implementers: implementers, touched: pending.touched, comeOrGone: pending.comeOrGone, changes: changes,
            old: compiled.sights, isStale: isSightStale)
        var alike: [Alike: Holding] = [:]
        var rules = pending.rulesets ? [:] : compiled.rules
        for number in locals {
            guard let record = state.units[number]?.record else { continue }
            let old = refreshed.contains(record.namespace) ? nil : compiled.units[number]
            if let old, !pending.rulesets, !pending.dependencies {
                guard isSightStale else { continue }
                compiled.units[number]?.sight = sights.sight(old.sightKey) {
                    state.dependencies(for: state.atoms.satisfied(by: old.tags), in: record.namespace)
                }
                continue
            }
            let tags = old?.tags ?? record.allTags(state.namespaces)
            let kind = Alike(namespace: record.namespace, atoms: state.atoms.satisfied(by: tags))
            let holding = alike[kind] ?? Holding(kind, state)
            alike[kind] = holding
            let unitRules =
                rules[holding.rulesKey] ?? compiled.rules[holding.rulesKey] ?? UnitRules(state.precedence(holding.rulesets))
            rules[holding.rulesKey] = unitRules
            compiled.units[number] = CompiledUnits.Unit(
                tags: tags, rulesKey: holding.rulesKey, rules: unitRules, sightKey: holding.sightKey,
                sight: sights.sight(holding.sightKey) { holding.dependencies })
        }
        // PUs that come and go leave some behind that nobody uses.
        if rules.count > 2 * locals.count + 64 {
            rules = Dictionary(compiled.units.values.map { ($0.rulesKey, $0.rules) }) { first, _ in first }
        }
        compiled.rules = rules
        compiled.sights = sights.built
    }
}

/// PUs of one namespace that satisfy the same atoms have the same policy.
struct Alike: Hashable {
    let namespace: Int32
    let atoms: [UInt32]
}

/// The policies that hold for such PUs.
private struct Holding {
    let rulesets: [CompiledRuleset]
    let rulesKey: [Int]
    let dependencies: [CompiledDependency]
    let sightKey: Sight.Key

    init(_ kind: Alike, _ state: PolicyState) {
        rulesets = state.rulesets(for: kind.atoms, in: kind.namespace)
        rulesKey = rulesets.map(\.serial).sorted()
        dependencies = state.dependencies(for: kind.atoms, in: kind.namespace)
        sightKey = Sight.Key(namespace: kind.namespace, policies: dependencies.map(\.serial).sorted())
    }
}
