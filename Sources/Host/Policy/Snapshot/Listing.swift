// What `sallyport services` and `sallyport pus` show of policy.

import Linux
import SallyportProtocol

extension PolicySnapshot {
    /// All services by path, disabled ones too. What only adapters know, their problems, is left out.
    public func listServices() -> [Sallyport_Control_V1_ServiceStatus] {
        var targets: [Int32: [String]] = [:]
        world.state.units.forEach { _, entry in
            guard !entry.implements.isEmpty else { return }
            let path = world.path(of: entry.record)
            for service in entry.implements { targets[service, default: []].append(path) }
        }
        var services: [Service] = []
        world.state.services.services.forEach { services.append($1) }
        return services.sorted { $0.path < $1.path }.map { service in
            .with {
                $0.namespace = service.namespace
                $0.name = service.name
                $0.frontends = world.state.services.frontends(of: service)
                    .map { "\(PlannedFrontend(cidr: $0.cidr, port: $0.port))" + ($0.host.isEmpty ? "" : " (\($0.host))") }
                if !world.state.services.isResolved(service.id) {
                    $0.frontends += service.message.loadBalancer.hosts.map { "\($0):\(service.port)" }
                }
                $0.targetPort = UInt32(service.targetPort)
                $0.tlsOnly = service.tlsOnly
                $0.targets = (targets[service.id] ?? []).sorted()
                $0.adapter = service.adapter
                $0.problem = service.isEnabled ? "" : "disabled"
                $0.tags = service.tags
                $0.publicPort = UInt32(service.publicPort)
            }
        }
    }

    /// All PUs by path, of all nodes. Whether a local one is intercepted, its certificate and its flows are left out.
    public func listUnits() -> [Sallyport_Control_V1_ProcessingUnitStatus] {
        var units: [(String, Sallyport_Control_V1_ProcessingUnitStatus)] = []
        world.state.units.forEach { _, entry in
            let record = entry.record
            let status = Sallyport_Control_V1_ProcessingUnitStatus.with {
                $0.namespace = world.state.namespaces[record.namespace].path
                $0.name = record.name
                $0.type = record.type
                $0.tags = record.allTags(world.state.namespaces)
                $0.addresses = record.addresses.map(\.description)
                $0.local = record.local != nil
            }
            units.append((world.path(of: record), status))
        }
        return units.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

extension PolicyWorld {
    /// "NAMESPACE/NAME".
    func path(of record: UnitRecord) -> String { join(state.namespaces[record.namespace].path, record.name) }
}
