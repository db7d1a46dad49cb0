// One dispatch for both carriers: a plugin's methods by service and method name, taking and giving bytes.

import CSallyportPlugin
import SallyportProtocol
import SwiftProtobuf
import TTRPC

extension RPCRouter {
    /// The services that `plugin` implements.
    init<P: Plugin>(serving plugin: P) {
        self.init()
        var kinds: [Sallyport_Plugin_V1_PluginKind] = []
        if let source = plugin as? any PolicySourcePlugin {
            kinds.append(.policySource)
            addPolicySource(source)
        }
        if let provider = plugin as? any TLSProviderPlugin {
            kinds.append(.tlsProvider)
            addTLSProvider(provider)
        }
        if let adapter = plugin as? any LoadBalancerAdapterPlugin {
            kinds.append(.loadBalancerAdapter)
            addLoadBalancerAdapter(adapter)
        }
        addPlugin(plugin, description: P.description.response(kinds: kinds))
    }

    private mutating func addPlugin<P: Plugin>(_ plugin: P, description: Sallyport_Plugin_V1_DescribeResponse) {
        let service = SALLYPORT_SERVICE_PLUGIN
        let settings = P.description.settings
        /// Decodes and validates; throws `ConfigRefused`. Untyped: Swift 6.3.1 with -O loses a typed error on its way
        /// out of an async function (the error's array came out as a null pointer).
        @Sendable func accept(_ json: String) async throws -> P.Configuration {
            let configuration = try decodeConfiguration(P.Configuration.self, from: json, settings: settings)
            let problems = await plugin.validate(configuration)
            if !problems.isEmpty { throw ConfigRefused(problems) }
            return configuration
        }
        add(service: service, method: "Describe", unary { (_: Sallyport_Plugin_V1_DescribeRequest) in description })
        add(service: service, method: "Validate", unary { (request: Sallyport_Plugin_V1_ValidateRequest) in
            var response = Sallyport_Plugin_V1_ValidateResponse()
            do {
                _ = try await accept(request.configJson)
            } catch let refused as ConfigRefused {
                response.problems = refused.problems
            }
            return response
        })
        add(service: service, method: "Configure", unary { (request: Sallyport_Plugin_V1_ConfigureRequest) in
            var response = Sallyport_Plugin_V1_ConfigureResponse()
            do {
                try await plugin.configure(accept(request.configJson), host: request.host)
            } catch let refused as ConfigRefused {
                response.problems = refused.problems
            } catch {
                response.problems = [ConfigProblem(field: "", "\(error)")]
            }
            return response
        })
        add(service: service, method: "Health", unary { (_: Sallyport_Plugin_V1_HealthRequest) in
            let health = await plugin.health()
            var response = Sallyport_Plugin_V1_HealthResponse()
            response.ready = health.ready
            response.message = health.message
            return response
        })
        add(service: service, method: "Shutdown", unary { (_: Sallyport_Plugin_V1_ShutdownRequest) in
            await plugin.shutdown()
            return Sallyport_Plugin_V1_ShutdownResponse()
        })
    }

    private mutating func addPolicySource(_ source: some PolicySourcePlugin) {
        add(service: SALLYPORT_SERVICE_POLICY_SOURCE, method: "Watch", stream {
            (_: Sallyport_Plugin_V1_WatchPolicyRequest, events) in try await source.watch(events)
        })
    }

    private mutating func addTLSProvider(_ provider: some TLSProviderPlugin) {
        let service = SALLYPORT_SERVICE_TLS_PROVIDER
        add(service: service, method: "IssueProcessingUnit", unary { (request: IssueRequest) in try await provider.issue(request) })
        add(service: service, method: "WatchTrust", stream {
            (_: Sallyport_Plugin_V1_WatchTrustRequest, bundles) in try await provider.watchTrust(bundles)
        })
    }

    private mutating func addLoadBalancerAdapter(_ adapter: some LoadBalancerAdapterPlugin) {
        let service = SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER
        add(service: service, method: "UpdateServices", unary { (request: UpdateServicesRequest) in
            try await adapter.updateServices(request)
            return Sallyport_Plugin_V1_UpdateServicesResponse()
        })
        add(service: service, method: "WatchFrontends", stream {
            (_: Sallyport_Plugin_V1_WatchFrontendsRequest, events) in try await adapter.watchFrontends(events)
        })
    }
}

private func unary<Request: Message, Response: Message>(
    _ body: @escaping @Sendable (Request) async throws -> Response
) -> RPCMethod {
    .unary { request, _ in try await body(decode(request)).serializedBytes() }
}

private func stream<Request: Message, Event: Message>(
    _ body: @escaping @Sendable (Request, MessageSender<Event>) async throws -> Void
) -> RPCMethod {
    .serverStream { request, _, sender in try await body(decode(request), MessageSender(encodingTo: sender)) }
}

private func decode<Request: Message>(_ bytes: [UInt8]) throws(RPCError) -> Request {
    do {
        return try Request(serializedBytes: bytes)
    } catch {
        throw RPCError(.invalidArgument, "the request is no \(Request.protoMessageName): \(error)")
    }
}
