// A TCP service in force.

import Linux
import PolicyDocuments
import SallyportProtocol

/// A TCP service in force.
public final class Service: Sendable {
    /// Unique in one snapshot.
    public let id: Int32
    public let namespace: String
    public let name: String
    /// "NAMESPACE/NAME".
    public let path: String
    /// The port clients dial.
    public let port: UInt16
    /// The port its PUs listen on.
    public let targetPort: UInt16
    /// The PU's own listener speaks TLS.
    public let tlsOnly: Bool
    /// Name to expect in the PU's certificate when the enforcer opens TLS to it; empty: the name is not checked.
    public let verifyServerName: String
    /// PEM, the roots for that TLS; empty: the certificate is not verified.
    public let verifyCABundlePEM: String
    /// All its tags: `$…` derived ones and its own, sorted.
    public let tags: [String]
    /// The port that the enforcer itself serves to clients that are not PUs; 0 for none.
    public let publicPort: UInt16
    /// TLS that the load balancer ends; nil if it passes bytes as they are.
    public let loadBalancerTLS: LoadBalancerTLS?
    /// What the load balancer tells of its clients; nil if it tells nothing.
    public let proxyProtocol: ProxyExpectation?
    /// The PROXY header that the PU is sent before a flow's bytes.
    public let targetProxyProtocol: Sallyport_Policy_V1_TCPService.Target.ProxyVersion
    /// Whether the PU sees its connections come from the flow's source, instead of from the enforcer.
    public let deliversAsClient: Bool
    /// Offered to clients of the public port by ALPN, the preferred one first; empty where the service says nothing of it.
    public let applicationProtocols: [String]
    /// PEM; clients of the public port must show a certificate of one of these. Empty for none.
    public let clientCABundlePEM: String
    /// Name of the load-balancer adapter that resolves it.
    public let adapter: String
    public let propagate: Bool

    let scope: Int32
    let target: CompiledSelector
    /// For each clause of `target`, tags that a PU which satisfies it and lives where the service holds surely has.
    let presumedTags: [[String]]
    let message: ServiceMessage

    init(id: Int32, namespace: String, scope: Int32, name: String, message: ServiceMessage, target: CompiledSelector) {
        self.id = id
        self.namespace = namespace
        self.scope = scope
        self.name = name
        self.message = message
        path = join(namespace, name)
        port = UInt16(clamping: message.loadBalancer.port)
        targetPort = UInt16(clamping: message.target.port)
        tlsOnly = message.target.tlsOnly
        verifyServerName = message.target.verify.serverName
        verifyCABundlePEM = message.target.verify.caBundle
        publicPort = UInt16(clamping: message.publicPort)
        loadBalancerTLS = LoadBalancerTLS(message.loadBalancer)
        proxyProtocol = ProxyExpectation(message.loadBalancer.proxyProtocol)
        targetProxyProtocol = message.target.proxyProtocol
        deliversAsClient = message.target.sourceAddress == .client
        applicationProtocols = message.tls.applicationProtocols
        clientCABundlePEM = message.tls.clientAuthentication.caBundle
        adapter = message.loadBalancer.adapter.isEmpty ? "static" : message.loadBalancer.adapter
        propagate = message.propagate
        self.target = target
        let placed = ["$identity=processingunit"] + (propagate ? [] : ["$namespace=\(namespace)"])
        presumedTags = parseClauses(message.target.selector).map { placed + $0.compactMap(\.tag) }
        tags = (["$identity=service", "$name=\(name)", "$namespace=\(namespace)"] + message.tags).sorted()
    }

    var isEnabled: Bool { !message.disabled }

    /// Whether another version of the service has the same target: PUs, place and port.
    func hasTarget(of other: Service) -> Bool {
        target == other.target && scope == other.scope && propagate == other.propagate && targetPort == other.targetPort
            && publicPort == other.publicPort && isEnabled == other.isEnabled
    }
}

/// How a client's enforcer verifies a load balancer that ends TLS.
public struct LoadBalancerTLS: Sendable {
    /// The name its certificate must have.
    public let serverName: String
    /// PEM, who must have issued it; empty: one of the system's roots.
    public let caBundlePEM: String

    init?(_ message: ServiceMessage.LoadBalancer) {
        if !message.hasTls { return nil }
        serverName = message.tls.serverName.isEmpty ? message.hosts.first ?? "" : message.tls.serverName
        caBundlePEM = message.tls.caBundle
    }
}

/// From whom a service takes PROXY headers (BEHAVIOUR, "PROXY protocol").
public struct ProxyExpectation: Sendable {
    public let subnets: [CIDR]
    /// Whether a connection from the subnets must begin with one.
    public let isRequired: Bool

    init?(_ message: ServiceMessage.ProxyProtocol) {
        if !message.enabled { return nil }
        subnets = message.subnets.compactMap { CIDR($0) }
        isRequired = message.header == .required
    }

    public func trusts(_ address: IPAddress) -> Bool { subnets.contains { $0.contains(address) } }
}

/// What a dialled address is.
public struct DialledService: Sendable {
    public let service: Service
    /// The address is that of a PU that implements the service, and no frontend.
    public let direct: Bool
}
