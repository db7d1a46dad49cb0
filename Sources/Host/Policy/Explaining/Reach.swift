// Which services nobody could reach, for `sallyport doctor`: what `explain` would say of every client, asked once for all
// clients that are alike.

import SallyportProtocol

/// Whether anybody could reach a service.
public struct ServiceReach: Sendable {
    public enum Outcome: Sendable, Equatable {
        /// At least one known PU sees it and is let through by both sides' rules.
        case reachable
        /// No known PU sees it.
        case unseen
        /// PUs see it, this one among them, and all are refused.
        case refused(client: String)
        /// No known PU implements it, so that nobody was asked about.
        case unimplemented
        /// There was no time to ask about everybody.
        case unknown
    }

    public let service: Service
    public let outcome: Outcome
}

extension PolicySnapshot {
    /// All enabled services, by path.
    ///
    /// - Parameter patience: How long to look. With 100,000 PUs all their tags are read, which takes a second or two.
    public func reach(within patience: Duration) -> [ServiceReach] {
        var search = ReachSearch(world: world, services: services, end: .now + patience)
        search.run()
        return services.map { ServiceReach(service: $0, outcome: search.outcome(of: $0)) }
    }
}

/// Goes through the clients, one of each kind, until every service was found to be reachable or the time is over.
private struct ReachSearch {
    /// Of a service's kinds of servers so many are asked: the same bound as that of an explanation.
    private static let maximumServers = 100

    let world: PolicyWorld
    let end: ContinuousClock.Instant
    private var pending: [Int32: Service] = [:]
    private var implemented = NumberSet()
    private var seenBy: [Int32: String] = [:]
    private var isCutShort = false
    /// One PU for each kind, and for each service one of each kind that implements it.
    private var kinds: [Alike: Int32] = [:]
    private var servers: [Int32: [Alike: Int32]] = [:]
    private var known: [Int32: Known] = [:]

    private struct Known {
        let policy: UnitPolicy
        let peer: PeerTags
    }

    init(world: PolicyWorld, services: [Service], end: ContinuousClock.Instant) {
        self.world = world
        self.end = end
        for service in services { pending[service.id] = service }
    }

    func outcome(of service: Service) -> ServiceReach.Outcome {
        if !implemented.contains(service.id) { return .unimplemented }
        if pending[service.id] == nil { return .reachable }
        if isCutShort { return .unknown }
        return seenBy[service.id].map { .refused(client: $0) } ?? .unseen
    }

    mutating func run() {
        gather()
        pending = pending.filter { implemented.contains($0.key) }
        for number in kinds.values.sorted() {
            if pending.isEmpty { return }
            if isOver { return }
            ask(number)
        }
    }

    private var isOver: Bool {
        mutating get {
            if !isCutShort && .now >= end { isCutShort = true }
            return isCutShort
        }
    }

    private mutating func gather() {
        let world = world
        world.state.units.forEach { number, entry in
            for service in entry.implements { implemented.insert(service) }
            // The clock costs more than a look at it every 64 PUs is worth.
            if (number & 63 == 0 ? isOver : isCutShort) { return }
            let tags = entry.record.allTags(world.state.namespaces)
            let kind = Alike(namespace: entry.record.namespace, atoms: world.state.atoms.satisfied(by: tags))
            if kinds[kind] == nil { kinds[kind] = number }
            for service in entry.implements where (servers[service]?.count ?? 0) < ReachSearch.maximumServers {
                if servers[service]?[kind] == nil { servers[service, default: [:]][kind] = number }
            }
        }
    }

    private mutating func ask(_ number: Int32) {
        guard let client = know(number) else { return }
        for (id, service) in pending where client.policy.visible.contains(id) {
            if seenBy[id] == nil { seenBy[id] = client.policy.key.description }
            guard client.policy.decide(dialling: service).allowed else { continue }
            let ports = FlowPorts(target: service.targetPort, dialled: service.port)
            for server in servers[id]?.values.sorted() ?? [] {
                if isOver { return }
                guard let server = know(server), client.policy.decide(.outgoing, peer: server.peer, ports: ports).allowed,
                    server.policy.decide(.incoming, peer: client.peer, ports: ports).allowed
                else { continue }
                pending[id] = nil
                break
            }
        }
    }

    private mutating func know(_ number: Int32) -> Known? {
        if let known = known[number] { return known }
        guard let policy = world.policy(ofUnit: number) else { return nil }
        let made = Known(policy: policy, peer: world.intern(policy.tags))
        known[number] = made
        return made
    }
}
