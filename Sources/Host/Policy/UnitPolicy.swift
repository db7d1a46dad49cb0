// All that policy says about one local PU.

import Linux
import SallyportProtocol

public typealias UnitType = Sallyport_Policy_V1_ProcessingUnit.TypeEnum
public typealias OnPolicyChange = Sallyport_Policy_V1_OnPolicyChange
public typealias FailureMode = Sallyport_Policy_V1_FailureMode

/// Where a PU's sockets live.
public enum UnitNetworkNamespace: Hashable, Sendable {
    /// The node's own.
    case host
    /// A file such as /run/netns/web, as setns(2) takes it.
    case path(String)
    case pid(Int32)
}

/// One local PU under one snapshot. Immutable; every call may be made from any thread and takes no lock.
public final class UnitPolicy: Sendable {
    public let key: UnitKey
    public let type: UnitType
    /// All tags, sorted: the user's, `$…` derived, `@…` set by the system, `@org:…` inherited.
    public let tags: [String]
    public let networkNamespace: UnitNetworkNamespace
    /// cgroup v2 path relative to the mount; empty unless a HostService.
    public let cgroup: String
    public let addresses: [IPAddress]
    /// Never `.inherit`.
    public let onPolicyChange: OnPolicyChange
    /// Never `.inherit`.
    public let failureMode: FailureMode
    public let plan: UnitPlan

    let outgoing: RuleTable
    let incoming: RuleTable
    let outgoingDefault: DefaultAction
    let incomingDefault: DefaultAction
    let lookup: ServiceLookup
    let served: [Service]

    struct DefaultAction: Sendable {
        let allows: Bool
        let reference: RuleReference
    }

    init(
        key: UnitKey, type: UnitType, tags: [String], networkNamespace: UnitNetworkNamespace, cgroup: String, addresses: [IPAddress],
        onPolicyChange: OnPolicyChange, failureMode: FailureMode, plan: UnitPlan, outgoing: RuleTable, incoming: RuleTable,
        outgoingDefault: DefaultAction, incomingDefault: DefaultAction, lookup: ServiceLookup, served: [Service]
    ) {
        self.key = key
        self.type = type
        self.tags = tags
        self.networkNamespace = networkNamespace
        self.cgroup = cgroup
        self.addresses = addresses
        self.onPolicyChange = onPolicyChange
        self.failureMode = failureMode
        self.plan = plan
        self.outgoing = outgoing
        self.incoming = incoming
        self.outgoingDefault = outgoingDefault
        self.incomingDefault = incomingDefault
        self.lookup = lookup
        self.served = served
    }

    /// The service whose frontend the PU dials, or the one it reaches by dialling another PU's address directly;
    /// nil where the PU sees no such service.
    public func service(dialled: SocketAddress) -> DialledService? { lookup.find(dialled) }

    /// The services that this PU implements on a port; the one that decides a tie is first.
    public func services(targetPort: UInt16) -> [Service] { served.filter { $0.targetPort == targetPort } }

    /// Whether policy lets this PU's flow through, on this side.
    ///
    /// - Parameters:
    ///   - direction: `.outgoing` where this PU is the client.
    ///   - peer: The other end, interned against this unit's snapshot.
    public func decide(_ direction: Direction, peer: PeerTags, ports: FlowPorts) -> Decision {
        switch direction {
        case .outgoing: outgoing.decide(peer, ports, default: outgoingDefault.reference, allows: outgoingDefault.allows)
        case .incoming: incoming.decide(peer, ports, default: incomingDefault.reference, allows: incomingDefault.allows)
        }
    }

    /// Before the dial, while the server PU is not known: refuses only if every PU that could implement the service
    /// would be refused.
    public func decide(dialling service: Service) -> Decision {
        let ports = FlowPorts(target: service.targetPort, dialled: service.port)
        if outgoingDefault.allows || outgoing.enforced.contains(where: { $0.allows && $0.ports.covers(ports) }) {
            return Decision(allowed: true, decidedBy: outgoingDefault.reference, observed: nil, observedAllowed: true)
        }
        return Decision(allowed: false, decidedBy: outgoingDefault.reference, observed: nil, observedAllowed: false)
    }

    /// Whether a peer is one of the PUs that implement a service: its tags match the target selector, and it lives
    /// where the service holds.
    public func satisfies(_ peer: PeerTags, targetOf service: Service) -> Bool {
        holds(service.namespace, propagate: service.propagate, in: peer.namespace) && service.target.matches(peer.atoms)
    }
}
