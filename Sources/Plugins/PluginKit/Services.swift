// One dispatch for both carriers: a plugin's methods by service and method name, taking and giving bytes.

import CSallyportPlugin
import SallyportProtocol
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
        var modes: [PublicTLSMode] = []
        if let provider = plugin as? any PublicTLSPlugin {
            kinds.append(.publicTls)
            modes = type(of: provider).publicTLSModes
            addPublicTLS(provider)
        }
        addPlugin(plugin, description: P.description.response(kinds: kinds, publicTLSModes: modes))
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
        addUnary(service: service, method: "Describe") { (_: Sallyport_Plugin_V1_DescribeRequest, _) in description }
        addUnary(service: service, method: "Validate") { (request: Sallyport_Plugin_V1_ValidateRequest, _) in
            var response = Sallyport_Plugin_V1_ValidateResponse()
            do {
                _ = try await accept(request.configJson)
            } catch let refused as ConfigRefused {
                response.problems = refused.problems
            }
            return response
        }
        addUnary(service: service, method: "Configure") { (request: Sallyport_Plugin_V1_ConfigureRequest, _) in
            var response = Sallyport_Plugin_V1_ConfigureResponse()
            do {
                try await plugin.configure(accept(request.configJson), host: request.host)
            } catch let refused as ConfigRefused {
                response.problems = refused.problems
            } catch {
                response.problems = [ConfigProblem(field: "", "\(error)")]
            }
            return response
        }
        addUnary(service: service, method: "Health") { (_: Sallyport_Plugin_V1_HealthRequest, _) in
            let health = await plugin.health()
            return Sallyport_Plugin_V1_HealthResponse.with {
                $0.ready = health.ready
                $0.message = health.message
            }
        }
        addUnary(service: service, method: "Shutdown") { (_: Sallyport_Plugin_V1_ShutdownRequest, _) in
            await plugin.shutdown()
            return Sallyport_Plugin_V1_ShutdownResponse()
        }
    }

    private mutating func addPolicySource(_ source: some PolicySourcePlugin) {
        addServerStream(service: SALLYPORT_SERVICE_POLICY_SOURCE, method: "Watch") {
            (_: Sallyport_Plugin_V1_WatchPolicyRequest, _, sender) in try await source.watch(MessageSender(sender.send))
        }
    }

    private mutating func addTLSProvider(_ provider: some TLSProviderPlugin) {
        let service = SALLYPORT_SERVICE_TLS_PROVIDER
        addUnary(service: service, method: "IssueProcessingUnit") { (request: IssueRequest, _) in try await provider.issue(request) }
        addServerStream(service: service, method: "WatchTrust") {
            (_: Sallyport_Plugin_V1_WatchTrustRequest, _, sender) in try await provider.watchTrust(MessageSender(sender.send))
        }
    }

    private mutating func addLoadBalancerAdapter(_ adapter: some LoadBalancerAdapterPlugin) {
        let service = SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER
        addUnary(service: service, method: "UpdateServices") { (request: UpdateServicesRequest, _) in
            try await adapter.updateServices(request)
            return Sallyport_Plugin_V1_UpdateServicesResponse()
        }
        addServerStream(service: service, method: "WatchFrontends") {
            (_: Sallyport_Plugin_V1_WatchFrontendsRequest, _, sender) in try await adapter.watchFrontends(MessageSender(sender.send))
        }
        addUnary(service: service, method: "NamesOf") { (request: NamesRequest, _) in try await adapter.names(request) }
    }

    private mutating func addPublicTLS(_ provider: some PublicTLSPlugin) {
        let service = SALLYPORT_SERVICE_PUBLIC_TLS
        addUnary(service: service, method: "UpdateServices") { (request: UpdatePublicServicesRequest, _) in
            try await provider.updateServices(request)
            return Sallyport_Plugin_V1_UpdatePublicServicesResponse()
        }
        addServerStream(service: service, method: "WatchCertificates") {
            (_: Sallyport_Plugin_V1_WatchCertificatesRequest, _, sender) in try await provider.watchCertificates(MessageSender(sender.send))
        }
    }
}
