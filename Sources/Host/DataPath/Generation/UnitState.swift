// What a worker keeps for each PU: its policy, its TLS contexts, its listeners.

import FlowLog
import Identity
import Linux
import Policy
import TLSEngine

/// One PU as one worker sees it. Belongs to that worker's thread.
final class UnitState {
    let key: UnitKey
    /// Unique among the units this process has had: part of what tickets are bound to.
    let number: UInt32
    let sockets: UnitSockets
    /// The namespace's descriptor; nil for the daemon's own.
    let namespace: Int32?

    /// nil while no policy names the unit: everything is refused.
    var policy: UnitPolicy?
    var party: FlowParty
    var credentials: UnitCredentials?
    var client: (any TLSContext)?
    var server: (any TLSContext)?
    /// The newest ticket for each address dialled.
    var tickets: [SocketAddress: TLSTicket] = [:]
    /// What policy says before the dial, by the service's id; asked once in a generation, for that is no lookup (docs/performance.md, "Policy").
    private var dialDecisions: [Int32: Decision] = [:]
    var liveFlows = 0
    /// As last seen; only where there are many flows.
    var sourcePorts: SourcePorts?
    /// No more connections come; forgotten with its last flow.
    var isRemoved = false

    /// Tickets are forgotten all together past this many; each is about 2 KiB.
    static let ticketLimit = 1024

    init(key: UnitKey, number: UInt32, sockets: UnitSockets, namespace: Int32?) {
        self.key = key
        self.number = number
        self.sockets = sockets
        self.namespace = namespace
        party = FlowParty(kind: .processingUnit, namespace: key.namespace, name: key.name, tags: [])
    }

    /// Whether anything that could answer for a service may be allowed.
    func decide(dialling service: Service, _ policy: UnitPolicy) -> Decision {
        if let known = dialDecisions[service.id] { return known }
        let decision = policy.decide(dialling: service)
        dialDecisions[service.id] = decision
        return decision
    }

    /// Policy is another one.
    func forgetDecisions() { dialDecisions.removeAll(keepingCapacity: true) }

    func keep(_ ticket: TLSTicket, for target: SocketAddress) {
        if tickets.count >= UnitState.ticketLimit { tickets.removeAll() }
        tickets[target] = ticket
    }

    /// What a server's tickets are bound to: the unit, the port, the trust and the policy they were given under.
    /// A ticket from any other is not resumed (DESIGN: session tickets).
    func binding(port: UInt16, trust: UInt64, policy: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(22)
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: port) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: trust) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: policy) { bytes.append(contentsOf: $0) }
        return bytes
    }
}

/// A peer whose certificate was verified, or an external network, ready for decisions under one snapshot.
final class KnownPeer {
    let identity: PeerIdentity?
    let tags: PeerTags
    let party: FlowParty

    init(identity: PeerIdentity?, tags: PeerTags, party: FlowParty) {
        self.identity = identity
        self.tags = tags
        self.party = party
    }
}
