// The further questions of an explanation: who answers, what each side's rules say, what is encrypted.

import Linux
import SallyportProtocol

extension Explanation {
    /// PUs of which each is compiled to explain one service.
    private static let maximumTargets = 100

    mutating func explain(_ client: UnitPolicy, _ service: Service, targets: [Int32]) {
        let selector = describe(service.message.target.selector)
        let ports = FlowPorts(target: service.targetPort, dialled: service.port)
        guard !targets.isEmpty else {
            step("selector", false, "no known processing unit in \(service.namespace) matches the target selector: \(selector)")
            let decision = client.decide(dialling: service)
            step("outgoing", decision.allowed, told(decision, .outgoing, client, "whoever implements \(service.path)"))
            return conclude(
                decision.allowed ? .unspecified : .refused, .no,
                decision.allowed ? "\(service.path) has no processing unit that could answer" : "refused by \(decision.decidedBy)")
        }
        let servers = targets.prefix(Explanation.maximumTargets).compactMap { world.policy(ofUnit: $0) }
        step("selector", true, "\(named(targets.map { world.path(ofUnit: $0) })) matches the target selector: \(selector)")
        let passing = decide(client, servers, ports)
        let plain = service.tlsOnly ? "and TLS from there to the application" : "and plain from there to the application"
        if passing > 0 {
            step("encryption", true, "mutual TLS 1.3 between the enforcers, \(plain); TLS of the client's own is carried as it is")
        }
        conclude(passing, of: servers.count, encrypted: .enforcer)
    }

    mutating func explainWithoutService(_ client: UnitPolicy, to address: SocketAddress) {
        let ports = FlowPorts(target: address.port, dialled: address.port)
        var servers: [UnitPolicy] = []
        world.state.units.forEach { number, entry in
            guard servers.count < Explanation.maximumTargets, entry.record.addresses.contains(address.address) else { return }
            if let server = world.policy(ofUnit: number) { servers.append(server) }
        }
        if !servers.isEmpty {
            step("selector", true, "\(address.address) is an address of \(named(servers.map(\.key.description)))")
            let passing = decide(client, servers, ports)
            if passing > 0 { step("encryption", false, "no service has port \(address.port) of it as its target, so nothing is encrypted") }
            return conclude(passing, of: servers.count, encrypted: .no)
        }
        let network = network(of: address.address, for: client)
        let decision = client.decide(.outgoing, peer: network?.tags ?? .unknown, ports: ports)
        step("outgoing", decision.allowed, told(decision, .outgoing, client, network?.name ?? "\(address.address)"))
        if decision.allowed { step("encryption", false, "external networks are reached in plain") }
        conclude(decision.allowed ? 1 : 0, of: 1, encrypted: .no)
    }

    /// Tells the external network that an address is in.
    private mutating func network(of address: IPAddress, for client: UnitPolicy) -> ExternalMatch? {
        let names = names[address]
        let network = client.external(address, named: names ?? [])
        var text = network.map { "\(address) is in the external network \(join($0.namespace, $0.name))" } ?? "\(address) is in no external network"
        if let names, let network, network.network.id != client.external(address, named: [])?.network.id {
            text += " by its name, \(names.joined(separator: " or "))"
        } else if names == nil, let other = client.networks(mayName: address).first {
            text += ", unless it has a name that is in one, such as \(join(other.namespace, other.name)): names are known of clients that have connected"
        }
        if network == nil { text += "; only default actions are about it" }
        step("selector", network != nil, text)
        return network
    }

    /// Tells both sides' decisions, those that are alike together.
    /// - Returns: How many servers are reached.
    private mutating func decide(_ client: UnitPolicy, _ servers: [UnitPolicy], _ ports: FlowPorts) -> Int {
        let peer = world.intern(client.tags)
        let decisions = servers.map { server in
            (
                server: server, outgoing: client.decide(.outgoing, peer: world.intern(server.tags), ports: ports),
                incoming: server.decide(.incoming, peer: peer, ports: ports)
            )
        }
        for group in grouped(decisions.map { ($0.server, $0.outgoing) }) {
            let names = named(group.servers.map(\.key.description))
            step("outgoing", group.decision.allowed, told(group.decision, .outgoing, client, names))
        }
        for group in grouped(decisions.map { ($0.server, $0.incoming) }) {
            guard let first = group.servers.first else { continue }
            let names = named(group.servers.map(\.key.description))
            step("incoming", group.decision.allowed, "at \(names): " + told(group.decision, .incoming, first, "\(client.key)"))
        }
        return decisions.count { $0.outgoing.allowed && $0.incoming.allowed }
    }

    private mutating func conclude(_ passing: Int, of all: Int, encrypted: Sallyport_Flow_V1_Encryption) {
        switch passing {
        case 0:
            let refusal = response.steps.last { !$0.ok && ($0.stage == "outgoing" || $0.stage == "incoming") }
            conclude(.refused, .no, "refused: \(refusal?.text ?? "each server is refused by one side")")
        case all:
            conclude(.accepted, encrypted, encrypted == .no ? "accepted, not encrypted" : "accepted and encrypted by the enforcers")
        default: conclude(.unspecified, encrypted, "accepted to \(passing) of \(all) processing units, refused to the others")
        }
    }

    private func grouped(_ decisions: [(UnitPolicy, Decision)]) -> [(decision: Decision, servers: [UnitPolicy])] {
        var groups: [(decision: Decision, servers: [UnitPolicy])] = []
        for (server, decision) in decisions {
            if let index = groups.firstIndex(where: { $0.decision.decidedBy == decision.decidedBy && $0.decision.observed == decision.observed }) {
                groups[index].servers.append(server)
            } else {
                groups.append((decision, [server]))
            }
        }
        return groups
    }

    /// - Parameters:
    ///   - unit: Whose rules decided.
    ///   - peer: Who is at the other end.
    private func told(_ decision: Decision, _ direction: Direction, _ unit: UnitPolicy, _ peer: String) -> String {
        let rules = direction == .outgoing ? unit.rules.outgoing : unit.rules.incoming
        let toward = direction == .outgoing ? "to" : "from"
        var text = "\(toward) \(peer): "
        if decision.decidedBy.isDefault {
            let count = rules.enforced.rules.count
            text += count == 0 ? "\(unit.key) has no \(direction) rules" : "none of the \(count) \(direction) rules of \(unit.key) matches"
            text += ", and \(decision.decidedBy) is \(decision.allowed ? "Allow" : "Reject")"
        } else {
            text += "\(decision.allowed ? "allowed" : "rejected") by \(decision.decidedBy)"
            text += written(decision.decidedBy, in: rules.enforced)
        }
        if let observed = decision.observed {
            text += "; the observe rule \(observed)\(written(observed, in: rules.observed)) would \(decision.observedAllowed ? "allow" : "reject") it"
        }
        return text
    }

    private func written(_ reference: RuleReference, in table: RuleTable) -> String {
        guard let message = table.rules.first(where: { $0.reference == reference })?.message else { return "" }
        return " (object \(describe(message.object)); ports \(message.ports.joined(separator: ", ")))"
    }

    private func named(_ names: [String]) -> String {
        names.count <= 3 ? names.joined(separator: ", ") : names.prefix(2).joined(separator: ", ") + " and \(names.count - 2) more"
    }
}
