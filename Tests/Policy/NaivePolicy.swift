// Policy worked out the slow and plain way, straight from the documents and BEHAVIOUR: what the compiled form must equal.

import Linux
import Policy
import SallyportProtocol
import Support

struct NaivePolicy {
    var objects: [PolicyKey: PolicyObject] = [:]
    var resolved: [PolicyKey: [Frontend]] = [:]

    func path(_ key: PolicyKey) -> String { key.namespace == "/" ? "/\(key.name)" : "\(key.namespace)/\(key.name)" }

    func chain(_ namespace: String) -> [String] {
        var chain = ["/"]
        for part in namespace.split(separator: "/") { chain.insert((chain[0] == "/" ? "" : chain[0]) + "/\(part)", at: 0) }
        return chain
    }

    func document(_ namespace: String) -> Sallyport_Policy_V1_Namespace? { objects[PolicyKey(.namespace, namespace)]?.namespace }

    func holds(_ key: PolicyKey, _ propagate: Bool, in place: String) -> Bool {
        key.namespace == place || propagate && chain(place).contains(key.namespace)
    }

    func matches(_ selector: Sallyport_Policy_V1_Selector, _ tags: [String]) -> Bool {
        !tags.isEmpty && selector.anyOf.contains { clause in
            !clause.allOf.isEmpty && clause.allOf.allSatisfy { expression in
                let parts = expression.split(separator: "=", maxSplits: 1).map(String.init)
                let isNegated = parts[0].hasSuffix("!")
                let key = isNegated ? String(parts[0].dropLast()) : parts[0]
                let found = tags.contains { tag in
                    if parts[1] == "*" { return tag.hasPrefix("\(key)=") }
                    if parts[1].hasSuffix("*") { return tag.hasPrefix("\(key)=\(parts[1].dropLast())") }
                    return tag == "\(key)=\(parts[1])"
                }
                return found != isNegated
            }
        }
    }

    func units() -> [PolicyObject] { objects.values.filter { $0.key.kind == .processingUnit }.sorted { path($0.key) < path($1.key) } }
    func isLocal(_ unit: PolicyObject) -> Bool { unit.processingUnit.networkNamespace != nil && ["", "node-1"].contains(unit.processingUnit.node) }

    func tags(_ unit: PolicyObject) -> [String] {
        var tags = Set(unit.processingUnit.tags + [
            "$identity=processingunit", "$type=Container", "$name=\(unit.key.name)", "$namespace=\(unit.key.namespace)", "$id=\(path(unit.key))",
        ])
        if isLocal(unit) { tags.insert("@os:hostname=host-1") }
        var keys: Set<String> = []
        for namespace in chain(unit.key.namespace) {
            let own = document(namespace)?.tags ?? []
            for tag in own where !keys.contains(String(tag.prefix { $0 != "=" })) { tags.insert("@org:\(tag)") }
            keys.formUnion(own.map { String($0.prefix { $0 != "=" }) })
        }
        return tags.sorted()
    }

    // MARK: rules

    func decide(_ unit: PolicyObject, _ direction: Direction, _ peer: [String], _ ports: FlowPorts) -> (text: String, observed: String?) {
        let place = unit.key.namespace
        var rulesets = objects.values.filter {
            $0.key.kind == .networkRuleset && !$0.networkRuleset.disabled && holds($0.key, $0.networkRuleset.propagate, in: place)
                && matches($0.networkRuleset.subject, tags(unit))
        }
        if rulesets.contains(where: { !$0.networkRuleset.fallback }) { rulesets.removeAll { $0.networkRuleset.fallback } }
        let depth = chain(place)
        rulesets.sort { (depth.firstIndex(of: $0.key.namespace)!, $0.key.name) < (depth.firstIndex(of: $1.key.namespace)!, $1.key.name) } // All hold, so all are on the way up.
        var matching: [(name: String, rule: PolicyRule)] = []
        for ruleset in rulesets {
            let rules = direction == .outgoing ? ruleset.networkRuleset.outgoing : ruleset.networkRuleset.incoming
            for (index, rule) in rules.enumerated() where matches(rule.object, peer) && rule.ports.contains(where: { covers($0, ports) }) {
                matching.append(("\(path(ruleset.key))#\(index)", rule))
            }
        }
        func first(_ observe: Bool) -> (name: String, rule: PolicyRule)? {
            let candidates = matching.filter { $0.rule.observe == observe }
            return candidates.first { $0.rule.action == .reject } ?? candidates.first
        }
        let observed = first(true).map { "\($0.name) \($0.rule.action == .allow)" }
        if let winner = first(false) { return ("\(winner.rule.action == .allow ? "allowed" : "rejected") by \(winner.name)", observed) }
        for namespace in depth {
            guard let actions = document(namespace)?.defaultAction else { continue }
            let action = direction == .outgoing ? actions.outgoing : actions.incoming
            if action != .inherit { return ("\(action == .allow ? "allowed" : "rejected") by the default action of \(namespace)", observed) }
        }
        return ("rejected by the default action of /", observed)
    }

    private func covers(_ text: String, _ ports: FlowPorts) -> Bool {
        if text == "any" { return true }
        guard text.hasPrefix("tcp/") else { return false }
        let bounds = text.dropFirst(4).split(separator: ":").compactMap { UInt16($0) }
        return (bounds[0]...bounds[bounds.count - 1]).contains(ports.target) || (bounds[0]...bounds[bounds.count - 1]).contains(ports.dialled)
    }

    // MARK: services

    func services() -> [PolicyObject] { objects.values.filter { $0.key.kind == .tcpService && !$0.tcpService.disabled } }

    func implements(_ unit: PolicyObject, _ service: PolicyObject) -> Bool {
        holds(service.key, service.tcpService.propagate, in: unit.key.namespace) && matches(service.tcpService.target.selector, tags(unit))
    }

    func frontends(_ service: PolicyObject) -> [Frontend] {
        resolved[service.key] ?? service.tcpService.loadBalancer.addresses.compactMap { CIDR($0) }
            .map { Frontend(cidr: $0, port: UInt16(service.tcpService.loadBalancer.port)) }
    }

    func visible(_ unit: PolicyObject) -> [PolicyObject] {
        let place = unit.key.namespace
        let toggle = chain(place).compactMap { document($0)?.serviceDependencyDefault }.first { $0 != .inherit }
        var policies = objects.values.filter {
            $0.key.kind == .serviceDependencyPolicy && !$0.serviceDependencyPolicy.disabled
                && holds($0.key, $0.serviceDependencyPolicy.propagate, in: place) && matches($0.serviceDependencyPolicy.subject, tags(unit))
        }
        if policies.contains(where: { !$0.serviceDependencyPolicy.fallback }) { policies.removeAll { $0.serviceDependencyPolicy.fallback } }
        return services().filter { service in
            if toggle != .disabled && holds(service.key, service.tcpService.propagate, in: place) { return true }
            let tags = service.tcpService.tags + ["$identity=service", "$name=\(service.key.name)", "$namespace=\(service.key.namespace)"]
            return policies.contains { policy in
                let isReached = chain(service.key.namespace).contains(policy.key.namespace)
                    || holds(service.key, service.tcpService.propagate, in: policy.key.namespace)
                return isReached && matches(policy.serviceDependencyPolicy.object, tags)
            }
        }
    }

    private func steps(_ one: String, _ other: String) -> Int { Set(chain(one)).symmetricDifference(chain(other)).count }

    func nearest(_ services: [PolicyObject], _ unit: PolicyObject) -> [String] {
        services.sorted {
            (steps($0.key.namespace, unit.key.namespace), path($0.key)) < (steps($1.key.namespace, unit.key.namespace), path($1.key))
        }.map { path($0.key) }
    }

    func dialled(_ unit: PolicyObject, _ address: SocketAddress) -> String? {
        let visible = visible(unit)
        var best = -1
        var winners: [PolicyObject] = []
        for service in visible {
            for frontend in frontends(service) where frontend.port == address.port && frontend.cidr.contains(address.address) {
                if frontend.cidr.prefix > best { winners = [] }
                best = max(best, frontend.cidr.prefix)
                if frontend.cidr.prefix == best { winners.append(service) }
            }
        }
        if let winner = nearest(winners, unit).first { return winner }
        let direct = visible.filter { service in
            UInt16(service.tcpService.target.port) == address.port
                && units().contains { $0.processingUnit.addresses.contains("\(address.address)") && implements($0, service) }
        }
        return nearest(direct, unit).first.map { "\($0) directly" }
    }

    func plan(_ unit: PolicyObject) -> UnitPlan {
        var plan = UnitPlan(servedPorts: Set(services().filter { implements(unit, $0) }.map { UInt16($0.tcpService.target.port) }))
        for service in visible(unit) {
            for frontend in frontends(service) { plan.frontends.insert(PlannedFrontend(cidr: frontend.cidr, port: frontend.port)) }
            for other in units() where implements(other, service) {
                for address in other.processingUnit.addresses.compactMap({ IPAddress($0) }) {
                    plan.frontends.insert(PlannedFrontend(cidr: CIDR(address), port: UInt16(service.tcpService.target.port)))
                }
            }
        }
        return plan
    }
}
