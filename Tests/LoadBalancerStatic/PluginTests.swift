// The plugin as a host meets it, on a clock that the test turns.

import Linux
import LoadBalancerStatic
import PluginKit
import PluginSupport
import SallyportProtocol
import Synchronization
import Testing

@Suite("The static load-balancer adapter", .timeLimit(.minutes(1)))
struct PluginTests {
    private let host: PluginHostHandle
    private let clock = ManualClock()
    init() throws { host = PluginHostHandle(thread: try SerialThread(name: "test"), log: { _, _ in }) }

    private func update(_ plugin: LoadBalancerStatic, hosts: [String] = [], addresses: [String] = [], service: String = "web") async throws {
        try await plugin.updateServices(.with {
            $0.upserts = [.with {
                $0.key = .with { $0.kind = .tcpService; $0.namespace = "/acme"; $0.name = service }
                $0.loadBalancer.hosts = hosts
                $0.loadBalancer.addresses = addresses
                $0.loadBalancer.port = 80
            }]
        })
    }

    /// Watches until `body` has enough of the events, each shown as its frontends; it may act in between.
    private func watch(_ plugin: LoadBalancerStatic, _ body: @escaping @Sendable (String, FrontendsEvent) async throws -> Bool) async throws {
        struct Enough: Error {}
        do {
            try await plugin.watchFrontends(MessageSender<FrontendsEvent> { event in
                let shown = event.changed.map { service in
                    let frontends = service.frontends.map { IPAddress(bytes: $0.address).map { "\($0)" } ?? "?" }.joined(separator: " ")
                    return "\(service.service.name): \(frontends)\(service.problem.isEmpty ? "" : " (\(service.problem))")"
                }.joined(separator: ", ")
                if try await body(shown, event) { throw Enough() }
            })
        } catch is Enough {}
    }

    @Test("the first events are complete, later ones bring what changed, by TTL")
    func lifeOfAName() async throws {
        let answers = Mutex<[NameAnswer]>(["192.0.2.1", "192.0.2.2"].map {
            NameAnswer(v4: .addresses([IPAddress($0)!], ttl: 10), v6: .none(.noRecord))  // literals
        })
        let plugin = LoadBalancerStatic(host: host, time: clock.clock) { name in
            answers.withLock { $0.isEmpty ? NameAnswer(v4: .failed("is away"), v6: .failed("is away")) : $0.removeFirst() }
        }
        try await plugin.configure(.init(grace: .init(seconds: 5)), host: HostFacts())
        try await update(plugin, addresses: ["10.0.0.1"], service: "api")
        let seen = Mutex<[String]>([])
        try await watch(plugin) { [clock] shown, event in
            let count = seen.withLock { $0.append(shown); return $0.count }
            #expect(event.complete == (count == 1))
            switch shown {
            case "api: 10.0.0.1": try await update(plugin, hosts: ["a.example"])
            case "web: 192.0.2.1": clock.turn(to: 10)
            case "web: 192.0.2.1 192.0.2.2": clock.turn(to: 15)
            case "web: 192.0.2.2": clock.turn(to: 20)
            case "web: 192.0.2.2 (a.example: is away; its last addresses stay)": return true
            default: #expect(shown == "web:  (a.example: is being resolved)")
            }
            return false
        }
        #expect(seen.withLock { $0.filter { !$0.contains("being resolved") } } == [
            "api: 10.0.0.1", "web: 192.0.2.1", "web: 192.0.2.1 192.0.2.2", "web: 192.0.2.2",
            "web: 192.0.2.2 (a.example: is away; its last addresses stay)",
        ])
        await plugin.shutdown()
    }

    @Test("a service that is set anew is told anew, even with the same frontends")
    func setAnew() async throws {
        let plugin = LoadBalancerStatic(host: host, time: clock.clock) { _ in NameAnswer(v4: .none(.noSuchName), v6: .none(.noSuchName)) }
        try await plugin.configure(.init(), host: HostFacts())
        try await update(plugin, addresses: ["10.0.0.1"])
        let count = Mutex(0)
        try await watch(plugin) { shown, _ in
            #expect(shown == "web: 10.0.0.1")
            if count.withLock({ $0 += 1; return $0 }) == 2 { return true }
            try await update(plugin, addresses: ["10.0.0.1"])
            return false
        }
        await plugin.shutdown()
    }

    @Test("without services the list is complete and empty, once the host has said so")
    func noServices() async throws {
        let plugin = LoadBalancerStatic(host: host, time: clock.clock, resolver: nil)
        try await plugin.configure(.init(), host: HostFacts())
        try await plugin.updateServices(.with { $0.replaceAll = true })
        try await watch(plugin) { shown, event in
            #expect(shown.isEmpty && event.complete)
            return true
        }
        await plugin.shutdown()
    }

    @Test("no more than eight names are asked for at once, and all are in the end")
    func manyNames() async throws {
        let open = Mutex((now: 0, most: 0))
        let plugin = LoadBalancerStatic(host: host, time: clock.clock) { _ in
            open.withLock { $0.now += 1; $0.most = max($0.most, $0.now) }
            await Task.yield()
            open.withLock { $0.now -= 1 }
            return NameAnswer(v4: .addresses([.v4Loopback], ttl: 60), v6: .none(.noRecord))
        }
        try await plugin.configure(.init(), host: HostFacts())
        try await update(plugin, hosts: (0..<100).map { "h\($0).example" })
        try await watch(plugin) { shown, event in event.changed.allSatisfy(\.problem.isEmpty) }
        #expect(open.withLock { $0.most } <= 8)
        await plugin.shutdown()
    }

    @Test("thousands of services come in messages under the limit, and only the last is complete")
    func manyServices() async throws {
        let plugin = LoadBalancerStatic(host: host, time: clock.clock, resolver: nil)
        try await plugin.configure(.init(), host: HostFacts())
        try await plugin.updateServices(.with { request in
            request.replaceAll = true
            request.upserts = (0..<20_000).map { index in
                .with {
                    $0.key = .with { $0.kind = .tcpService; $0.namespace = "/" + String(repeating: "n", count: 200); $0.name = "s\(index)" }
                    $0.loadBalancer.addresses = ["10.0.0.1"]
                    $0.loadBalancer.port = 80
                }
            }
        })
        let total = Mutex(0)
        try await watch(plugin) { _, event in
            let bytes: [UInt8]? = try? event.serializedBytes()
            #expect((bytes?.count ?? .max) < 4 << 20)
            let sum = total.withLock { $0 += event.changed.count; return $0 }
            #expect(event.complete == (sum == 20_000))
            return sum == 20_000
        }
        await plugin.shutdown()
    }

    @Test("the names of an address come with the TTL within its bounds and with the grace; what is no address is refused")
    func names() async throws {
        let asked = Mutex<[IPAddress]>([])
        let plugin = LoadBalancerStatic(host: host, time: clock.clock, resolver: nil) { address in
            asked.withLock { $0.append(address) }
            var found = AddressNames()
            found.names = ["a.partner.example"]
            found.ttl = address.isV4 ? 1 : 7200
            found.problem = "there may be more"
            return found
        }
        try await plugin.configure(.init(minimumTTL: .init(seconds: 5), maximumTTL: .init(seconds: 600), grace: .init(seconds: 7)), host: HostFacts())
        for (address, ttl) in [(IPAddress.v4Loopback, 5), (.v6Loopback, 600)] as [(IPAddress, UInt32)] {
            let response = try await plugin.names(.with { $0.address = .init(address.bytes) })
            #expect(response.names == ["a.partner.example"] && response.ttlSeconds == ttl && response.graceSeconds == 7)
            #expect(response.problem == "there may be more" && asked.withLock { $0.last } == address)
        }
        await #expect(throws: (any Error).self) { try await plugin.names(.with { $0.address = .init([1, 2, 3]) }) }
        #expect(asked.withLock { $0.count } == 2)
        await plugin.shutdown()
    }

    private static let configurations: [(LoadBalancerStatic.Configuration, [String])] = [
        (.init(nameserver: "dns"), ["nameserver"]),
        (.init(nameserver: "192.0.2.53:0"), ["nameserver"]),
        (.init(minimumTTL: .init(seconds: 0)), ["minimumTTL"]),
        (.init(maximumTTL: .init(seconds: 3601)), ["maximumTTL"]),
        (.init(minimumTTL: .init(seconds: 10), maximumTTL: .init(seconds: 5)), ["minimumTTL"]),
        (.init(grace: .init(seconds: 86401)), ["grace"]),
        (.init(nameserver: "[2001:db8::53]:5353", minimumTTL: .init(seconds: 5), maximumTTL: .init(seconds: 60), grace: .init(seconds: 0)), []),
        (.init(nameserver: "192.0.2.53"), []), (.init(nameserver: "2001:db8::53"), []), (.init(), []),
    ]

    @Test("settings out of bounds are refused by name", arguments: configurations)
    func settings(configuration: LoadBalancerStatic.Configuration, fields: [String]) async {
        #expect(await LoadBalancerStatic(host: host).validate(configuration).map(\.field) == fields)
    }
}
