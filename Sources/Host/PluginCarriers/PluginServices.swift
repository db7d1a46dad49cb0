// The methods that plugins have, for whoever passes calls on without knowing their messages.

import CSallyportPlugin
import Linux
import TTRPC

/// One method of sallyport/plugin/v1/plugin.proto.
struct PluginMethod: Sendable {
    let service: String
    let name: String
    let isWatch: Bool

    static let all = [
        PluginMethod(service: SALLYPORT_SERVICE_PLUGIN, name: "Describe", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_PLUGIN, name: "Validate", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_PLUGIN, name: "Configure", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_PLUGIN, name: "Health", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_PLUGIN, name: "Shutdown", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_POLICY_SOURCE, name: "Watch", isWatch: true),
        PluginMethod(service: SALLYPORT_SERVICE_TLS_PROVIDER, name: "IssueProcessingUnit", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_TLS_PROVIDER, name: "WatchTrust", isWatch: true),
        PluginMethod(service: SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, name: "UpdateServices", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, name: "WatchFrontends", isWatch: true),
        PluginMethod(service: SALLYPORT_SERVICE_LOAD_BALANCER_ADAPTER, name: "NamesOf", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_PUBLIC_TLS, name: "UpdateServices", isWatch: false),
        PluginMethod(service: SALLYPORT_SERVICE_PUBLIC_TLS, name: "WatchCertificates", isWatch: true),
    ]
}

extension RPCRouter {
    /// Passes every method of every service of plugins on to `channel`, which answers for those it does not have.
    public init(forwardingTo channel: any RPCChannel) {
        self.init()
        for method in PluginMethod.all {
            add(service: method.service, method: method.name, forward(method, to: channel))
        }
    }
}

private func forward(_ method: PluginMethod, to channel: any RPCChannel) -> RPCMethod {
    guard method.isWatch else {
        return .unary { request, context in
            try await channel.call(service: method.service, method: method.name, request: request, timeout: context.timeLeft)
        }
    }
    return .serverStream { request, context, sender in
        let stream = try await channel.open(service: method.service, method: method.name, request: request, timeout: context.timeLeft)
        while let message = try await stream.next() { try await sender.send(message) }
    }
}

extension RPCContext {
    /// Until the deadline; nil if there is none.
    fileprivate var timeLeft: Duration? {
        deadline.map { .nanoseconds(Int64(clamping: $0) - Int64(clamping: clinux_monotonic())) }
    }
}
