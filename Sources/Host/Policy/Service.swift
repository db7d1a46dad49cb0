// TCP services as the data path sees them, and where they are dialled.

import Linux
import SallyportProtocol

/// A TCP service in force.
public final class Service: Sendable {
    /// Unique in one snapshot, from 0.
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
    /// Port that the enforcer itself serves to clients that are not PUs; 0 for none.
    public let publicPort: UInt16
    /// Name of the load-balancer adapter that resolves it.
    public let adapter: String
    public let propagate: Bool
    let target: CompiledSelector

    init(
        id: Int32, namespace: String, name: String, spec: Sallyport_Policy_V1_TCPService, target: CompiledSelector, tags: [String]
    ) {
        self.id = id
        self.namespace = namespace
        self.name = name
        path = join(namespace, name)
        port = UInt16(clamping: spec.loadBalancer.port)
        targetPort = UInt16(clamping: spec.target.port)
        tlsOnly = spec.target.tlsOnly
        verifyServerName = spec.target.verify.serverName
        verifyCABundlePEM = spec.target.verify.caBundle
        publicPort = UInt16(clamping: spec.publicPort)
        adapter = spec.loadBalancer.adapter.isEmpty ? "static" : spec.loadBalancer.adapter
        propagate = spec.propagate
        self.target = target
        self.tags = tags
    }
}

/// What a dialled address is.
public struct DialledService: Sendable {
    public let service: Service
    /// The address is that of a PU that implements the service, and no frontend.
    public let direct: Bool
}

/// An address block and port that clients of a service dial, as a load-balancer adapter resolved it.
public struct Frontend: Hashable, Sendable {
    public var cidr: CIDR
    public var port: UInt16
    /// The name it came from; empty if it was given as an address.
    public var host: String

    public init(cidr: CIDR, port: UInt16, host: String = "") {
        self.cidr = cidr
        self.port = port
        self.host = host
    }
}

/// Something a PU may dial that must be intercepted.
public struct PlannedFrontend: Hashable, Sendable {
    public var cidr: CIDR
    public var port: UInt16

    public init(cidr: CIDR, port: UInt16) {
        self.cidr = cidr
        self.port = port
    }
}

/// What must be intercepted for a PU.
public struct UnitPlan: Sendable, Equatable {
    /// Frontends of the services it sees, and the addresses of their PUs.
    public var frontends: Set<PlannedFrontend>
    /// Target ports of the services it implements.
    public var servedPorts: Set<UInt16>

    public init(frontends: Set<PlannedFrontend> = [], servedPorts: Set<UInt16> = []) {
        self.frontends = frontends
        self.servedPorts = servedPorts
    }
}
