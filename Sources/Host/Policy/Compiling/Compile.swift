// From the objects in force to a snapshot, doing again only what changed.

import SallyportProtocol
import Synchronization

/// Numbers the meanings of atoms and namespaces, across all compilers of the process. 0 is nobody's.
private let epochs = Atomic<UInt64>(0)

extension PolicyCompiler {
    /// Compiles the objects in force. Small changes cost little: the rest is taken over from the snapshot before.
    public mutating func compile() -> PolicySnapshot {
        if isOvergrown { rebuild() }
        generation += 1
        let refreshed = state.namespaces.refresh()
        if !refreshed.isEmpty {
            for (place, unit) in numbers.units where refreshed.contains(place.namespace) { pending.units.insert(unit) }
        }
        state.serviceTags.refresh(state.services.services)
        state.externalNetworks.refresh()
        findTargets()
        compileUnits(refreshed)
        let world = makeWorld()
        if pending.serviceList { orderServices() }
        if pending.localUnits { orderLocals() }
        let units = compiled.order.compactMap { number -> UnitPolicy? in
            guard let entry = state.units[number], let unit = compiled.units[number] else { return nil }
            return UnitPolicy(
                entry.record, tags: unit.tags, rules: unit.rules, visible: unit.sight.services, frontends: unit.sight.frontends,
                served: entry.implements, world: world)
        }
        pending = PendingChanges()
        return PolicySnapshot(
            generation: generation, units: units, services: compiled.services, problems: documentProblems + overlapProblems() + TakenPublicPort.problems(units),
            counts: counts, world: world)
    }

    private mutating func makeWorld() -> PolicyWorld {
        let known = (atoms: state.atoms.count, namespaces: state.namespaces.nodes.count)
        let epoch: UInt64
        if let world = compiled.world, compiled.known == known {
            epoch = world.epoch
        } else {
            epoch = epochs.wrappingAdd(1, ordering: .relaxed).newValue
        }
        let isKept = compiled.world?.epoch == epoch && !pending.externalNetworks
        let world = PolicyWorld(state, epoch: epoch, networkTags: isKept ? compiled.world?.networkTags : nil)
        compiled.world = world
        compiled.known = known
        return world
    }

    private mutating func orderServices() {
        // Most are where they were, and sorting what is nearly sorted is quick.
        var seen = NumberSet()
        var services: [Service] = []
        for old in compiled.services {
            guard let service = state.services[old.id], service.isEnabled else { continue }
            services.append(service)
            seen.insert(service.id)
        }
        state.services.services.forEach { number, service in
            if service.isEnabled && !seen.contains(number) { services.append(service) }
        }
        compiled.services = services.sorted { $0.path < $1.path }
    }

    private mutating func orderLocals() {
        let named = locals.compactMap { number in
            state.units[number].map { (number, join(state.namespaces[$0.record.namespace].path, $0.record.name)) }
        }
        compiled.order = named.sorted { $0.1 < $1.1 }.map(\.0)
    }

    private func overlapProblems() -> [Problem] {
        var reported: Set<[String]> = []
        var found: [Problem] = []
        for sight in compiled.sights.values.sorted(by: { $0.overlaps.first?.namespace ?? 0 < $1.overlaps.first?.namespace ?? 0 }) {
            for overlap in sight.overlaps where found.count < FrontendOverlap.maximum {
                if reported.insert([overlap.winner.path, overlap.loser.path]).inserted { found.append(overlap.problem(state.namespaces)) }
            }
        }
        return found
    }

    private var counts: PolicyCounts {
        PolicyCounts(
            namespaces: state.namespaces.documentCount, units: state.units.count, localUnits: locals.count,
            services: numbers.services.count, dependencies: numbers.dependencies.count, rulesets: numbers.rulesets.count,
            externalNetworks: numbers.externalNetworks.count)
    }
}
