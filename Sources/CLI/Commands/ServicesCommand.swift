// sallyport services: where clients dial, and who implements it.

import ArgumentParser
import FlowFormat
import SallyportProtocol

struct ServicesCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "services", abstract: "List TCP services: where clients dial, and who implements them.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    func run(_ daemon: ControlClient) async throws {
        var services: [Sallyport_Control_V1_ServiceStatus] = []
        try await daemon.stream(
            "ListServices", Sallyport_Control_V1_ListServicesRequest(), of: Sallyport_Control_V1_ListServicesResponse.self
        ) { piece in
            services += piece.services
            return true
        }
        switch format.output {
        case .json: try write(JSONText.document { $0.array(services, json) })
        case .text: try write(table(services).text(.standardOutput))
        }
    }

    private func table(_ services: [Sallyport_Control_V1_ServiceStatus]) -> Table {
        var table = Table(
            ("SERVICE", .left), ("FRONTENDS", .flexible), ("TARGET", .right), ("TLS", .left), ("PUBLIC", .right), ("TARGETS", .flexible),
            ("ADAPTER", .left), ("PROBLEM", .flexible))
        for service in services {
            table.add(
                .init(path(service.namespace, service.name)), .init(service.frontends.joined(separator: " ")),
                .init("\(service.targetPort)"), .init(service.tlsOnly ? "only" : ""),
                .init(service.publicPort > 0 ? "\(service.publicPort)" : ""), .init(service.targets.joined(separator: " ")),
                .init(service.adapter), .init(service.problem, .bad))
        }
        return table
    }

    private func json(_ json: inout JSONText, _ service: Sallyport_Control_V1_ServiceStatus) {
        json.object {
            $0.field("namespace", service.namespace)
            $0.field("name", service.name)
            $0.field("frontends", service.frontends)
            $0.field("targetPort", UInt64(service.targetPort))
            $0.field("tlsOnly", service.tlsOnly)
            $0.field("publicPort", UInt64(service.publicPort))
            $0.field("targets", service.targets)
            $0.field("adapter", service.adapter)
            $0.field("tags", service.tags)
            $0.field("problem", service.problem)
        }
    }
}
