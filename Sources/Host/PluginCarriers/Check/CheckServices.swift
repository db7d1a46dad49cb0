// The checks of each kind of plugin: its watch, cancelled at once and after what it has sent, and its calls.

import CSallyportPlugin
import SallyportProtocol
import SwiftProtobuf
import TTRPC

extension CheckConversation {
    func checkKind(_ kind: Sallyport_Plugin_V1_PluginKind, _ report: Report) async {
        switch kind {
        case .policySource:
            await checkWatch(SALLYPORT_SERVICE_POLICY_SOURCE, "Watch", report) { (event: Sallyport_Plugin_V1_PolicyEvent) in
                guard event.event != nil else { throw Broken("it sent an event without content") }
                if case .complete = event.event { return true }
                return false
            }
        case .tlsProvider:
            await checkWatch(SALLYPORT_SERVICE_TLS_PROVIDER, "WatchTrust", report) { (bundle: Sallyport_Plugin_V1_TrustBundle) in
                if bundle.roots.isEmpty || bundle.roots.contains(where: \.isEmpty) { throw Broken("its bundle has no root, or an empty one") }
                return true
            }
            await check("IssueProcessingUnit refuses what is no public key", report) { try await self.issueGarbage() }
        case .loadBalancerAdapter:
            await check("UpdateServices takes an empty list, and the same service twice", report) { 
                try await self.updateServices(SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, self.serviceUpdates(), Sallyport_Plugin_V1_UpdateServicesResponse.self)
            }
            await checkWatch(SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, "WatchFrontends", report) { (event: Sallyport_Plugin_V1_FrontendsEvent) in
                for frontend in event.changed.flatMap(\.frontends) {
                    let bits = frontend.address.count * 8
                    guard [32, 128].contains(bits), frontend.prefixLength <= bits, (1...65535).contains(frontend.port) else {
                        throw Broken("a frontend has \(bits / 8) bytes of address, prefix \(frontend.prefixLength), port \(frontend.port)")
                    }
                }
                return event.complete
            }
        case .publicTls:
            await check("UpdateServices takes an empty list, and the same public service twice", report) {
                try await self.updateServices(SALLYPORT_SERVICE_PUBLIC_TLS, await self.publicUpdates(), Sallyport_Plugin_V1_UpdatePublicServicesResponse.self)
            }
            await checkWatch(SALLYPORT_SERVICE_PUBLIC_TLS, "WatchCertificates", report) { (event: Sallyport_Plugin_V1_CertificatesEvent) in
                for certificate in event.changed {
                    if certificate.chain.isEmpty != certificate.privateKey.isEmpty { throw Broken("it sent a chain without a key, or a key alone") }
                    if certificate.passthrough && !certificate.chain.isEmpty { throw Broken("it sent a certificate for bytes that pass as they are") }
                    if certificate.chain.isEmpty && !certificate.passthrough && certificate.problem.isEmpty {
                        throw Broken("it sent neither a certificate nor what is wrong")
                    }
                    if !certificate.chain.isEmpty && certificate.notAfter == 0 { throw Broken("it sent a certificate without its end") }
                }
                return event.complete
            }
        case .unspecified, .UNRECOGNIZED: break
        }
    }

    /// - Parameter isComplete: Whether a message ends what there is; throws for one that breaks a promise.
    private func checkWatch<Event: Message>(
        _ service: String, _ method: String, _ report: Report, isComplete: (Event) throws -> Bool
    ) async {
        await check("\(method) can be cancelled at once", report) {
            let events = try await self.channel.open(service: service, method: method, request: [], timeout: CheckConversation.patience)
            await events.cancel()
            try await self.answers()
        }
        await check("\(method) sends everything there is, and then its mark", report) {
            let events = try await self.channel.open(service: service, method: method, request: [], timeout: CheckConversation.patience)
            while true {
                guard let bytes = try await self.next(of: events) else { throw Broken("it ended the stream before") }
                guard let event = try? Event(serializedBytes: bytes) else { throw Broken("it sent what is no \(Event.protoMessageName)") }
                if try isComplete(event) { break }
            }
            await events.cancel()
            try await self.answers()
        }
        await check("\(method) can be watched twice, one after the other", report) {
            for _ in 0..<2 {
                let events = try await self.channel.open(service: service, method: method, request: [], timeout: CheckConversation.patience)
                guard try await events.next() != nil else { throw Broken("it ended the stream") }
                await events.cancel()
            }
        }
    }

    /// The next message. A plugin that says of itself that it is not ready may keep us waiting.
    private func next(of events: any RPCReceiver) async throws -> [UInt8]? {
        do {
            return try await events.next()
        } catch let error as RPCError where error.code == .deadlineExceeded {
            let health: Sallyport_Plugin_V1_HealthResponse = try await call("Health", Sallyport_Plugin_V1_HealthRequest())
            if health.ready { throw error }
            throw Skipped("it is not ready (\(health.message)): give it what it needs by --config")
        }
    }

    private func answers() async throws {
        let _: Sallyport_Plugin_V1_HealthResponse = try await call("Health", Sallyport_Plugin_V1_HealthRequest())
    }

    private func issueGarbage() async throws {
        let request = Sallyport_Plugin_V1_IssueProcessingUnitRequest.with {
            $0.namespace = "/check"
            $0.name = "check"
            $0.tags = ["$name=check"]
            $0.publicKey.append(contentsOf: CheckConversation.garbage)
        }
        let code = await code(SALLYPORT_SERVICE_TLS_PROVIDER, "IssueProcessingUnit", try request.serializedBytes())
        if code == .ok { throw Broken("it issued a certificate") }
        if code == .unavailable || code == .deadlineExceeded { throw Broken("the call ended with \(code)") }
    }

    private static let checkedService = Sallyport_Policy_V1_ObjectKey.with {
        $0.kind = .tcpService
        $0.namespace = "/check"
        $0.name = "check"
    }

    private func serviceUpdates() -> [Sallyport_Plugin_V1_UpdateServicesRequest] {
        let service = Sallyport_Plugin_V1_AdaptedService.with {
            $0.key = Self.checkedService
            // TEST-NET-1, RFC 5737.
            $0.loadBalancer.addresses = ["192.0.2.1"]
            $0.loadBalancer.port = 80
        }
        return [
            .with { $0.replaceAll = true }, .with { $0.upserts = [service] }, .with { $0.upserts = [service] },
            .with { $0.removes = [service.key] }, .with { $0.removes = [service.key] },
        ]
    }

    /// The service stays, so that the watches have something to tell; its certificate is no PEM, for plugins that look at it.
    private func publicUpdates() async throws -> [Sallyport_Plugin_V1_UpdatePublicServicesRequest] {
        let description: Sallyport_Plugin_V1_DescribeResponse = try await call("Describe", Sallyport_Plugin_V1_DescribeRequest())
        let service = Sallyport_Plugin_V1_PublicService.with {
            $0.key = Self.checkedService
            $0.tls.mode = description.publicTlsModes.first ?? .none
            $0.tls.certificate = "no certificate"
            $0.tls.key = "no key"
            $0.hosts = ["check.invalid"]
            $0.addresses = [.init([192, 0, 2, 1])]
        }
        return [
            .with { $0.replaceAll = true }, .with { $0.upserts = [service] }, .with { $0.removes = [service.key] },
            .with { $0.removes = [service.key] }, .with { $0.upserts = [service] }, .with { $0.upserts = [service] },
        ]
    }

    private func updateServices<Answer: Message>(_ service: String, _ requests: [some Message], _: Answer.Type) async throws {
        for request in requests {
            let _: Answer = try await channel.call(service: service, method: "UpdateServices", request, timeout: CheckConversation.patience)
        }
    }
}
