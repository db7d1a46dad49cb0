// All services, and what finds them: by the PUs they select, by what clients dial, by their tags.

import Linux
import SallyportProtocol

struct ServiceCatalog: Sendable {
    private(set) var services = Slots<Service>()
    /// As adapters resolved them; a service that none has resolved yet has the literal addresses of its document.
    private var resolved: [Int32: [Frontend]] = [:]
    private(set) var targets = ScopedIndex()
    private(set) var frontends = FrontendTable()
    /// The addresses of PUs that implement a service, with its target port.
    private var direct = MultiTable<BlockKey, DirectTarget>()
    private var changes = DialledChanges()
    /// The enabled services that live in each namespace, by its number.
    private var residents: [Int32: Set<Int32>] = [:]
    /// Those of them that propagate.
    private var propagating: [Int32: Set<Int32>] = [:]

    private struct DirectTarget: Equatable, BitwiseCopyable, Sendable {
        var service: Int32
        var unit: Int32
    }

    subscript(service: Int32) -> Service? { services[service] }

    /// Adds a service, which `make` builds for its number.
    mutating func add(_ make: (Int32) -> Service) -> Int32 {
        let number = services.add(make)
        if let service = services[number] { file(service) }
        return number
    }

    /// Replaces a service by its next version.
    mutating func replace(_ service: Service) {
        if let old = services[service.id] { unfile(old) }
        services.replace(service.id, service)
        file(service)
    }

    mutating func remove(_ number: Int32) {
        if let old = services[number] { unfile(old) }
        resolved[number] = nil
        services.remove(number)
    }

    /// - Returns: Whether these are others than were resolved before.
    @discardableResult
    mutating func setFrontends(_ number: Int32, _ frontends: [Frontend]) -> Bool {
        guard let service = services[number], resolved[number] != frontends else { return false }
        fileFrontends(service, isFiled: false)
        resolved[number] = frontends
        fileFrontends(service, isFiled: true)
        return true
    }

    func isResolved(_ number: Int32) -> Bool { resolved[number] != nil }

    /// What clients dial for a service.
    func frontends(of service: Service) -> [Frontend] {
        resolved[service.id]
            ?? service.message.loadBalancer.addresses.compactMap { CIDR($0) }.map { Frontend(cidr: $0, port: service.port) }
    }

    /// The services that hold in a namespace: its own, and those that propagate from above.
    func holding(in namespace: Int32, _ tree: NamespaceTree) -> NumberSet {
        var holding = NumberSet()
        for service in residents[namespace] ?? [] { holding.insert(service) }
        var above = tree[namespace].parent
        while above >= 0 {
            for service in propagating[above] ?? [] { holding.insert(service) }
            above = tree[above].parent
        }
        return holding
    }

    mutating func addDirect(_ address: IPAddress, _ service: Service, unit: Int32) {
        direct.insert(BlockKey(address, service.targetPort), DirectTarget(service: service.id, unit: unit))
        changes.note(CIDR(address), service.targetPort)
    }

    mutating func removeDirect(_ address: IPAddress, _ service: Service, unit: Int32) {
        direct.remove(BlockKey(address, service.targetPort), DirectTarget(service: service.id, unit: unit))
        changes.note(CIDR(address), service.targetPort)
    }

    mutating func removeAllDirect() {
        direct = MultiTable()
        changes.overflow()
    }

    /// What is dialled otherwise since the last call.
    mutating func takeChanges() -> DialledChanges {
        defer { changes = DialledChanges() }
        return changes
    }

    private mutating func file(_ service: Service) {
        guard service.isEnabled else { return }
        targets.insert(service.target, of: service.id, in: service.scope, propagates: service.propagate)
        residents[service.scope, default: []].insert(service.id)
        if service.propagate { propagating[service.scope, default: []].insert(service.id) }
        fileFrontends(service, isFiled: true)
    }

    private mutating func unfile(_ service: Service) {
        guard service.isEnabled else { return }
        targets.remove(service.target, of: service.id, in: service.scope, propagates: service.propagate)
        residents[service.scope]?.remove(service.id)
        propagating[service.scope]?.remove(service.id)
        fileFrontends(service, isFiled: false)
    }

    private mutating func fileFrontends(_ service: Service, isFiled: Bool) {
        guard service.isEnabled else { return }
        for frontend in Set(frontends(of: service).map { PlannedFrontend(cidr: $0.cidr, port: $0.port) }) {
            if isFiled {
                frontends.insert(frontend.cidr, frontend.port, service.id)
            } else {
                frontends.remove(frontend.cidr, frontend.port, service.id)
            }
            changes.note(frontend.cidr, frontend.port)
        }
    }
}

extension ServiceCatalog {
    /// The service that a PU of `namespace`, which sees `visible`, reaches at an address; the longest prefix wins, then
    /// the nearest namespace, then the name.
    func find(_ dialled: SocketAddress, visible: NumberSet, from namespace: Int32, _ tree: NamespaceTree) -> DialledService? {
        let block = CIDR(dialled.address)
        for prefix in frontends.prefixes where frontends.isWithin(block, prefix) {
            var found: Service?
            let key = BlockKey(CIDR(dialled.address, prefix: prefix), dialled.port)
            var place = frontends.services.first(key)
            while let current = place {
                let number = frontends.services.value(at: current)
                if visible.contains(number), let service = services[number] { found = nearer(found, service, namespace, tree) }
                place = frontends.services.next(after: current)
            }
            if let found { return DialledService(service: found, direct: false) }
        }
        var found: Service?
        var place = direct.first(BlockKey(dialled.address, dialled.port))
        while let current = place {
            let number = direct.value(at: current).service
            if visible.contains(number), let service = services[number] { found = nearer(found, service, namespace, tree) }
            place = direct.next(after: current)
        }
        return found.map { DialledService(service: $0, direct: true) }
    }

    /// Whether one of the services in `visible` is dialled at exactly this block and port.
    func isDialled(_ frontend: PlannedFrontend, visible: NumberSet) -> Bool {
        var isDialled = false
        frontends.forEach(frontend.cidr, frontend.port) { if visible.contains($0) { isDialled = true } }
        guard !isDialled, frontend.cidr.prefix == 128 else { return isDialled }
        direct.forEach(BlockKey(frontend.cidr.base, frontend.port)) { if visible.contains($0.service) { isDialled = true } }
        return isDialled
    }

    /// Of two services, the one in the nearest namespace, or the first by name.
    func nearer(_ one: Service?, _ other: Service, _ namespace: Int32, _ tree: NamespaceTree) -> Service {
        guard let one, one !== other else { return other }
        let distances = (tree.distance(one.scope, namespace), tree.distance(other.scope, namespace))
        if distances.0 != distances.1 { return distances.0 < distances.1 ? one : other }
        return one.path < other.path ? one : other
    }
}
