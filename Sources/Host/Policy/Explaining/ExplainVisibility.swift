// The first question of an explanation: does the client see a service there?

import Linux
import SallyportProtocol

extension Explanation {
    mutating func explain(_ client: UnitPolicy, to service: Service) {
        guard service.isEnabled else { return fail("visibility", "\(service.path) is disabled") }
        guard client.visible.contains(service.id) else { return fail("visibility", unseen(service, by: client)) }
        step("visibility", true, "\(client.key) sees \(service.path) by \(reason(for: service, client))")
        explain(client, service, targets: world.units(implementing: service))
    }

    mutating func explain(_ client: UnitPolicy, toUnit number: Int32) {
        guard let entry = world.state.units[number] else { return }
        let path = world.path(of: entry.record)
        let services = entry.implements.filter(client.visible.contains).compactMap { world.state.services[$0] }
        let nearest = services.reduce(nil as Service?) { nearest, service in
            world.state.services.nearer(nearest, service, client.namespace, world.state.namespaces)
        }
        guard let service = nearest else {
            return fail(
                "visibility",
                "\(client.key) sees no service whose target is \(path), so no flow between them is handled as one; "
                    + "ask about ADDRESS:PORT to learn which rules are about it")
        }
        step(
            "visibility", true,
            "\(client.key) sees \(service.path), whose target is \(path), by \(reason(for: service, client))")
        explain(client, service, targets: [number])
    }

    mutating func explain(_ client: UnitPolicy, to address: SocketAddress) {
        if let dialled = client.service(dialled: address) {
            let service = dialled.service
            let what = dialled.direct ? "is an address and port of processing units that implement" : "is a frontend of"
            step("visibility", true, "\(address) \(what) \(service.path), which \(client.key) sees by \(reason(for: service, client))")
            let targets = world.units(implementing: service).filter { number in
                !dialled.direct || world.state.units[number]?.record.addresses.contains(address.address) == true
            }
            return explain(client, service, targets: targets)
        }
        let hidden = world.services(withFrontend: address)
        if let service = hidden.first {
            return fail("visibility", "\(address) is a frontend of \(service.path); \(unseen(service, by: client))")
        }
        step("visibility", true, "\(address) belongs to no service that \(client.key) sees")
        explainWithoutService(client, to: address)
    }

    private func unseen(_ service: Service, by client: UnitPolicy) -> String {
        let byDefault = client.settings.dependsByDefault ? "does not hold in its namespace" : "is not seen by default there"
        return "\(client.key) does not see \(service.path), so what it dials there is not handled as that service: the service "
            + "\(byDefault), and no service dependency policy of the processing unit selects it"
    }

    private func reason(for service: Service, _ client: UnitPolicy) -> String {
        let tree = world.state.namespaces
        if client.settings.dependsByDefault, tree.holds(service.scope, propagates: service.propagate, in: client.namespace) {
            return "the default service dependency of \(client.key.namespace)"
        }
        let atoms = world.state.atoms.satisfied(by: client.tags)
        let policy = world.state.dependencies(for: atoms, in: client.namespace)
            .first { world.state.services(of: $0).contains(service.id) }
        return policy.map { "the service dependency policy \(join(tree[$0.namespace].path, $0.name))" } ?? "policy"
    }
}

extension PolicyWorld {
    /// By path.
    func units(implementing service: Service) -> [Int32] {
        var found: [(Int32, String)] = []
        state.units.forEach { number, entry in
            if entry.implements.contains(service.id) { found.append((number, path(of: entry.record))) }
        }
        return found.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// The enabled services that are dialled at an address, whoever sees them; by path.
    func services(withFrontend address: SocketAddress) -> [Service] {
        var found: [Service] = []
        state.services.frontends.forEach(around: CIDR(address.address), address.port) { _, number in
            if let service = state.services[number] { found.append(service) }
        }
        return found.sorted { $0.path < $1.path }
    }
}
