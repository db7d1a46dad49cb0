// What PUs see, worked out once for all that see the same, and taken over or mended where little has changed.

import Linux
import SallyportProtocol

struct SightBuilder {
    private let state: PolicyState
    private let implementers: [Int32: Set<Int32>]
    private let touched: NumberSet
    private let comeOrGone: NumberSet
    private let changes: DialledChanges
    private let old: [Sight.Key: Sight]
    private(set) var built: [Sight.Key: Sight]
    private var frontends: [NumberSet: Set<PlannedFrontend>] = [:]
    private var reach: [Int: NumberSet] = [:]

    /// - Parameters:
    ///   - touched: Services that are dialled otherwise than in `old`.
    ///   - comeOrGone: Services that are new since `old`, or gone.
    ///   - changes: The blocks and ports of those changes.
    ///   - isStale: Whether `old` must be looked at again.
    init(
        state: PolicyState, implementers: [Int32: Set<Int32>], touched: NumberSet, comeOrGone: NumberSet, changes: DialledChanges,
        old: [Sight.Key: Sight], isStale: Bool
    ) {
        self.state = state
        self.implementers = implementers
        self.touched = touched
        self.comeOrGone = comeOrGone
        self.changes = changes
        self.old = old
        built = isStale ? [:] : old
    }

    /// - Parameter policies: The dependency policies that `key` names.
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
        if let old = old[key] {
            sight = updated(old, services, key.namespace)
        } else {
            sight = Sight(services: services, frontends: frontends(of: services), overlaps: overlaps(services, key.namespace))
        }
        built[key] = sight
        return sight
    }

    private mutating func updated(_ old: Sight, _ services: NumberSet, _ namespace: Int32) -> Sight {
        if old.services == services && !services.intersects(touched) { return old }
        guard changes.isComplete, old.services.isEqual(to: services, ignoring: comeOrGone) else {
            return Sight(services: services, frontends: frontends(of: services), overlaps: overlaps(services, namespace))
        }
        return Sight(
            services: services, frontends: mended(old, services), overlaps: mendedOverlaps(old, services, namespace))
    }

    /// The old list, with each frontend that came or went asked about again.
    private mutating func mended(_ old: Sight, _ services: NumberSet) -> Set<PlannedFrontend> {
        if let known = frontends[services] { return known }
        var mended = old.frontends
        for frontend in changes.frontends {
            if state.services.isDialled(frontend, visible: services) { mended.insert(frontend) } else { mended.remove(frontend) }
        }
        frontends[services] = mended
        return mended
    }

    private func mendedOverlaps(_ old: Sight, _ services: NumberSet, _ namespace: Int32) -> [FrontendOverlap] {
        var hasBlocks = false
        touched.forEach { number in
            guard services.contains(number), let service = state.services[number] else { return }
            if state.services.frontends(of: service).contains(where: { $0.cidr.prefix < 128 }) { hasBlocks = true }
        }
        // Others may lie within a block, and those left out for their number may be needed now.
        if hasBlocks || old.overlaps.count >= FrontendOverlap.maximum { return overlaps(services, namespace) }
        return old.overlaps.filter { !touched.contains($0.winner.id) && !touched.contains($0.loser.id) }
            + state.services.overlaps(services, among: touched, from: namespace, state.namespaces)
    }

    private func overlaps(_ services: NumberSet, _ namespace: Int32) -> [FrontendOverlap] {
        state.services.overlaps(services, among: services, from: namespace, state.namespaces)
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
