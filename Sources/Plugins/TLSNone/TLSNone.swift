// The plugin: public ports on which the enforcer ends no TLS (docs/plugins/tls-none.md).

import PluginKit
import SallyportProtocol

/// Says of each service with `tls.mode: None` that its bytes pass as they are.
public actor TLSNone: PublicTLSPlugin {
    public struct Configuration: Decodable, Sendable {
        public init() {}
    }

    public static let description = PluginDescription(
        name: "tls-none", version: "0.1.0", summary: "public ports that pass bytes as they are")
    public static let publicTLSModes = [PublicTLSMode.none]

    private let host: PluginHostHandle
    private var state = ServiceState<CertificatesEvent>()
    private let states = Latest<ServiceState<CertificatesEvent>>()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { host.thread.asUnownedSerialExecutor() }

    public init(host: PluginHostHandle) { self.host = host }

    public func configure(_ configuration: Configuration, host facts: HostFacts) async throws {}

    public func updateServices(_ request: UpdatePublicServicesRequest) async throws {
        let kept = Set(request.upserts.map(\.key))
        for key in request.replaceAll ? state.services.filter({ !kept.contains($0) }) : request.removes { state.remove(key) }
        for service in request.upserts {
            state.set(
                .with {
                    $0.service = service.key
                    $0.passthrough = true
                })
        }
        states.set(state)
    }

    public func watchCertificates(_ events: MessageSender<CertificatesEvent>) async throws { try await states.send(to: events) }
}
