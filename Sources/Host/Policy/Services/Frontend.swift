// Where services are dialled.

import Linux

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

extension PlannedFrontend: CustomStringConvertible {
    /// "10.96.0.10:9376", "10.96.0.0/16:443", "[2001:db8::1]:80".
    public var description: String {
        let isAddress = cidr.prefix == 128
        let block = isAddress ? "\(cidr.base)" : "\(cidr)"
        return cidr.isV4 ? "\(block):\(port)" : "[\(block)]:\(port)"
    }
}

/// What must be intercepted for a PU.
public struct UnitPlan: Sendable, Equatable {
    /// Frontends of the services it sees, and the addresses of the PUs that implement them.
    public var frontends: Set<PlannedFrontend>
    /// Target ports of the services it implements.
    public var servedPorts: Set<UInt16>
    /// Ports on which the enforcer serves clients that are not PUs.
    public var publicPorts: Set<UInt16>
    /// Whether some of what it serves is delivered to it from its clients' addresses.
    public var deliversAsClient: Bool

    public init(
        frontends: Set<PlannedFrontend> = [], servedPorts: Set<UInt16> = [], publicPorts: Set<UInt16> = [], deliversAsClient: Bool = false
    ) {
        self.frontends = frontends
        self.servedPorts = servedPorts
        self.publicPorts = publicPorts
        self.deliversAsClient = deliversAsClient
    }
}
