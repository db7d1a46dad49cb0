// The services and the names they share: which frontends each has, which names to ask for, and when.

import Linux
import SallyportProtocol

/// What an adapter knows of the load balancer behind a service's frontends.
package struct LoadBalancerInside: Sendable, Equatable {
    /// In one message with the frontends, so at most half a MiB of them.
    package var backends: [Sallyport_Plugin_V1_Backend] = []
    /// Empty when all is well.
    package var problem = ""

    package init() {}
}

/// Looks into the load balancer of a service whose frontends are known as far as they are.
package typealias LoadBalancerInspection = @Sendable (
    Sallyport_Policy_V1_ObjectKey, Sallyport_Policy_V1_TCPService.LoadBalancer, [Sallyport_Plugin_V1_Frontend]
) -> LoadBalancerInside

/// What an adapter tells of its services. A value without I/O; times are seconds of a `PluginClock`.
package struct FrontendTable: Sendable {
    private typealias Key = Sallyport_Policy_V1_ObjectKey

    /// A service's frontends travel in one message, and those have at most 4 MiB.
    static let maximumBytes = 3 << 20

    /// What a watcher is to know.
    package private(set) var state = ServiceState<FrontendsEvent>()

    private var services: [Key: Sallyport_Policy_V1_TCPService.LoadBalancer] = [:]
    private var names: [String: NameRecord] = [:]
    /// Which services a name belongs to.
    private var users: [String: Set<Key>] = [:]
    private var times = NameTimes()
    private var inspection: LoadBalancerInspection = { _, _, _ in LoadBalancerInside() }
    /// At which second to look at which names: to ask again, or to drop an address. A name that was planned anew
    /// stays in its old bucket, and nothing is found to do there.
    private var agenda: [Int64: Set<String>] = [:]
    /// Names to ask for, as soon as there is room.
    private var waiting: [String] = []
    /// Names that wait, or whose answer has not come yet.
    private var asked: Set<String> = []

    package init() {}

    package mutating func use(_ times: NameTimes) {
        self.times = times
        for name in names.keys { plan(name) }
    }

    package mutating func use(_ inspection: @escaping LoadBalancerInspection) {
        self.inspection = inspection
        for key in services.keys { refresh(key) }
    }

    package var hasServices: Bool { !services.isEmpty }

    package mutating func update(_ request: UpdateServicesRequest, at now: Int64) {
        let kept = Set(request.upserts.map(\.key))
        for key in request.replaceAll ? Array(services.keys.filter { !kept.contains($0) }) : request.removes { remove(key) }
        for service in request.upserts {
            remove(service.key)
            services[service.key] = service.loadBalancer
            for host in service.loadBalancer.hosts {
                let name = FrontendTable.name(of: host)
                users[name, default: []].insert(service.key)
                if names[name] == nil {
                    names[name] = NameRecord(at: now)
                    plan(name)
                }
            }
        }
        // A name that goes from one service to another in one request keeps what is known of it.
        for name in names.keys where users[name] == nil { names[name] = nil }
        for service in request.upserts { state.set(message(service.key)) }
    }

    /// Does what is due by `now`: addresses whose grace is over go, names whose TTL is over wait to be asked for.
    package mutating func advance(to now: Int64) {
        for second in agenda.keys.filter({ $0 <= now }) {
            for name in agenda.removeValue(forKey: second) ?? [] {
                guard let record = names[name] else { continue }
                if let expiry = record.nextExpiry(times), expiry <= now {
                    names[name]?.expire(at: now, times)
                    refresh(usersOf: name)
                }
                if record.nextQuestion <= now, asked.insert(name).inserted { waiting.append(name) }
                plan(name)
            }
        }
    }

    /// The next name to ask for, whose answer must be learnt.
    package mutating func nextQuestion() -> String? {
        while !waiting.isEmpty {
            let name = waiting.removeFirst()
            if names[name] != nil { return name }
            asked.remove(name)
        }
        return nil
    }

    package mutating func learn(_ answer: NameAnswer, of name: String, at now: Int64) {
        asked.remove(name)
        guard names[name] != nil else { return }
        names[name]?.learn(answer, at: now, times)
        refresh(usersOf: name)
        plan(name)
    }

    /// The second at which there is something to do next; nil if there never is.
    package var deadline: Int64? { agenda.keys.min() }

    private mutating func plan(_ name: String) {
        guard let record = names[name] else { return }
        if let expiry = record.nextExpiry(times) { agenda[expiry, default: []].insert(name) }
        if !asked.contains(name) { agenda[record.nextQuestion, default: []].insert(name) }
    }

    private mutating func remove(_ key: Key) {
        for host in services.removeValue(forKey: key)?.hosts ?? [] {
            let name = FrontendTable.name(of: host)
            users[name]?.remove(key)
            if users[name]?.isEmpty == true { users[name] = nil }
        }
        state.remove(key)
    }

    private mutating func refresh(usersOf name: String) {
        for key in users[name] ?? [] { refresh(key) }
    }

    private mutating func refresh(_ key: Key) {
        let new = message(key)
        if state[key] != new { state.set(new) }
    }

    private func message(_ key: Key) -> Sallyport_Plugin_V1_Frontends {
        var message = Sallyport_Plugin_V1_Frontends()
        message.service = key
        guard let service = services[key] else { return message }
        var seen: Set<CIDR> = []
        var bytes = 0
        func add(_ cidr: CIDR, host: String) {
            guard bytes <= FrontendTable.maximumBytes, seen.insert(cidr).inserted else { return }
            bytes += host.utf8.count + 36  // lengths, tags, numbers and 16 bytes of address
            message.frontends.append(.with {
                $0.address = .init(cidr.base.bytes)
                $0.prefixLength = UInt32(cidr.isV4 ? cidr.prefix - 96 : cidr.prefix)
                $0.port = service.port
                $0.host = host
            })
        }
        var problems: [String] = []
        for text in service.addresses {
            if let cidr = CIDR(text) { add(cidr, host: "") } else { problems.append("\(text): is no address or CIDR") }
        }
        for host in service.hosts {
            guard let record = names[FrontendTable.name(of: host)] else { continue }
            for address in record.current { add(CIDR(address), host: host) }
            if !record.problem.isEmpty { problems.append("\(host): \(record.problem)") }
        }
        if bytes > FrontendTable.maximumBytes { problems.append("has more frontends than \(seen.count); list fewer, or CIDRs") }
        let inside = inspection(key, service, message.frontends)
        message.backends = inside.backends
        if !inside.problem.isEmpty { problems.append(inside.problem) }
        message.problem = problems.joined(separator: "; ")
        return message
    }

    /// DNS knows no case, and a dot at the end changes nothing here.
    private static func name(of host: String) -> String {
        (host.hasSuffix(".") ? String(host.dropLast()) : host).lowercased()
    }
}
