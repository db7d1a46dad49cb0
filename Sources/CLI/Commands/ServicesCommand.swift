// sallyport services: where clients dial, and who implements it.

import ArgumentParser
import FlowFormat
import Linux
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
            ("SERVICE", .left), ("FRONTENDS", .flexible), ("TARGET", .right), ("TLS", .left), ("PUBLIC", .left), ("TARGETS", .flexible),
            ("ADAPTER", .left), ("SERVERS", .left), ("PROBLEM", .flexible))
        for service in services {
            table.add(
                .init(path(service.namespace, service.name)), .init(service.frontends.joined(separator: " ")),
                .init("\(service.targetPort)"), .init(service.tlsOnly ? "only" : ""),
                .init(publicPort(service)), .init(service.targets.joined(separator: " ")),
                .init(service.adapter), servers(service.backends),
                .init([service.problem, service.publicProblem].filter { !$0.isEmpty }.joined(separator: "; "), .bad))
        }
        return table
    }

    /// "8003 InternalCA until 2027-03-01".
    private func publicPort(_ service: Sallyport_Control_V1_ServiceStatus) -> String {
        guard service.publicPort > 0 else { return "" }
        let end = service.publicCertificateNotAfter > 0 ? "until \(date(service.publicCertificateNotAfter))" : ""
        return ["\(service.publicPort)", service.publicTlsMode, end].filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// Those behind the load balancer: "2 up, 1 down".
    private func servers(_ servers: [Sallyport_Plugin_V1_Backend]) -> Table.Cell {
        let counts = Dictionary(grouping: servers, by: \.state).mapValues(\.count).sorted { $0.key.rawValue < $1.key.rawValue }
        return .init(counts.map { "\($0.value) \($0.key.word)" }.joined(separator: ", "), servers.contains { $0.state == .down } ? .bad : .plain)
    }

    private func json(_ json: inout JSONText, _ server: Sallyport_Plugin_V1_Backend) {
        json.object {
            $0.field("name", server.name)
            $0.field("address", IPAddress(bytes: server.address).map { "\(SocketAddress($0, UInt16(clamping: server.port)))" } ?? "")
            $0.field("state", server.state.word)
            $0.field("proxyProtocol", server.proxyProtocol.word)
            $0.field("detail", server.detail)
        }
    }

    private func json(_ json: inout JSONText, _ service: Sallyport_Control_V1_ServiceStatus) {
        json.object {
            $0.field("namespace", service.namespace)
            $0.field("name", service.name)
            $0.field("frontends", service.frontends)
            $0.field("targetPort", UInt64(service.targetPort))
            $0.field("tlsOnly", service.tlsOnly)
            $0.field("publicPort", UInt64(service.publicPort))
            $0.field("publicTLSMode", service.publicTlsMode)
            $0.field("publicCertificateNotAfter", service.publicCertificateNotAfter > 0 ? rfc3339(seconds: service.publicCertificateNotAfter) : "")
            $0.field("publicProblem", service.publicProblem)
            $0.field("targets", service.targets)
            $0.field("adapter", service.adapter)
            $0.key("servers")
            $0.array(service.backends) { json, server in self.json(&json, server) }
            $0.field("tags", service.tags)
            $0.field("problem", service.problem)
        }
    }
}

extension Sallyport_Plugin_V1_Backend.State {
    fileprivate var word: String {
        switch self {
        case .up: "up"
        case .down: "down"
        case .outOfService: "out of service"
        case .unknown, .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Plugin_V1_Backend.ProxyProtocol {
    fileprivate var word: String {
        switch self {
        case .none: "none"
        case .v1: "v1"
        case .v2: "v2"
        case .unknown, .UNRECOGNIZED: "unknown"
        }
    }
}
