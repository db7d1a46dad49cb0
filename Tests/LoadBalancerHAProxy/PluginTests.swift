// The plugin as a host meets it, with a real HAProxy.

import Linux
import LoadBalancerHAProxy
import PluginKit
import PluginSupport
import SallyportProtocol
import Support
import Testing

@Suite("The HAProxy adapter", .timeLimit(.minutes(2)))
struct PluginTests {
    private let host: PluginHostHandle
    private let clock = ManualClock()
    private let balancer: RealHAProxy

    init() throws {
        host = PluginHostHandle(thread: try SerialThread(name: "test"), log: { _, _ in })
        balancer = try RealHAProxy()
    }

    /// A plugin with one service "web" on `port`.
    private func plugin(port: UInt16, _ change: (inout LoadBalancerHAProxy.Configuration) -> Void = { _ in }) async throws -> LoadBalancerHAProxy {
        let plugin = LoadBalancerHAProxy(host: host, time: clock.clock)
        var configuration = LoadBalancerHAProxy.Configuration(socket: balancer.path)
        change(&configuration)
        #expect(await plugin.validate(configuration).isEmpty)
        try await plugin.configure(configuration, host: HostFacts())
        try await plugin.updateServices(.with {
            $0.replaceAll = true
            $0.upserts = [.with {
                $0.key = .with { $0.kind = .tcpService; $0.namespace = "/acme"; $0.name = "web" }
                $0.loadBalancer.addresses = ["127.0.0.1"]
                $0.loadBalancer.port = UInt32(port)
            }]
        })
        return plugin
    }

    private func section(_ port: UInt16, _ servers: [String], name: String = "shop") -> String {
        "listen \(name)\n  bind 127.0.0.1:\(port)\n" + servers.map { "  server \($0)\n" }.joined()
    }

    private func states(_ found: Sallyport_Plugin_V1_Frontends) -> [String] { found.backends.map { "\($0.name) \($0.state)" } }

    private func details(_ found: Sallyport_Plugin_V1_Frontends) -> [String] { found.backends.map(\.detail) }

    @Test("servers that are up, down, in maintenance and unchecked are told apart, and each change comes with a poll")
    func states() async throws {
        let server = try LoopbackPort()
        let (up, down, port) = (server.number, try LoopbackPort.free(), try LoopbackPort.free())
        try balancer.start(section(port, [
            "up 127.0.0.1:\(up) check inter 50ms", "down 127.0.0.1:\(down) check inter 50ms fall 1 send-proxy-v2", "unchecked [::1]:\(down)",
        ]))
        let plugin = try await plugin(port: port)
        let watch = FrontendsWatch(plugin)
        let turn = { clock.advance(5) }
        let first = try await watch.frontends(of: "web", "down is down", turn: turn) {
            states($0) == ["shop/up up", "shop/down down", "shop/unchecked unknown"] && details($0).first == "UP, L4OK"
        }
        #expect(details(first) == ["UP, L4OK", "DOWN, L4CON: Connection refused", "no check"])
        #expect(first.frontends.map { IPAddress(bytes: $0.address) } == [.v4Loopback] && first.frontends.first?.port == UInt32(port))
        #expect(first.backends.map { IPAddress(bytes: $0.address) } == [.v4Loopback, .v4Loopback, .v6Loopback])
        #expect(first.backends.map(\.port) == [UInt32(up), UInt32(down), UInt32(down)])
        #expect(first.backends.allSatisfy { $0.proxyProtocol == .unknown } && first.problem.isEmpty)
        #expect(await plugin.health() == .ready)

        try balancer.command("set server shop/up state maint")
        let second = try await watch.frontends(of: "web", "up is in maintenance", turn: turn) { states($0).first == "shop/up outOfService" }
        #expect(details(second).first == "MAINT")
        try balancer.command("set server shop/unchecked state drain")
        _ = try await watch.frontends(of: "web", "unchecked drains", turn: turn) { details($0).last == "DRAIN" }
        try balancer.command("set server shop/up state ready")
        _ = try await watch.frontends(of: "web", "up is up again", turn: turn) { states($0).first == "shop/up up" }
        try balancer.command("disable frontend shop")
        let last = try await watch.frontends(of: "web", "the frontend is off", turn: turn) { !$0.problem.isEmpty }
        #expect(last.problem.hasPrefix("HAProxy's frontend shop is "))
        #expect(await plugin.health() == .ready)
        await plugin.shutdown()
    }

    @Test("a frontend that is no section listen is found by its port, and its backend by the settings", arguments: [false, true])
    func frontendAndBackend(hasSocketStatistics: Bool) async throws {
        let port = try LoopbackPort.free()
        try balancer.start("""
            frontend shop
              bind 127.0.0.1:\(port)
              \(hasSocketStatistics ? "option socket-stats" : "no option socket-stats")
              default_backend pool
            backend pool
              server one 192.0.2.1:80
            """)
        let plugin = try await plugin(port: port) { $0.backends = ["shop": "pool"] }
        let found = try await FrontendsWatch(plugin).frontends(of: "web", "known") { !$0.backends.isEmpty }
        #expect(found.backends.map(\.name) == ["pool/one"] && found.problem.isEmpty)
        try await plugin.configure(.init(socket: balancer.path), host: HostFacts())
        let without = try await FrontendsWatch(plugin).frontends(of: "web", "forgotten") { !$0.problem.isEmpty }
        #expect(without.problem == "HAProxy does not tell which backend its frontend shop has: set backends.shop to one of pool, or `configuration` to HAProxy's file")
        #expect(without.backends.isEmpty)
        await plugin.shutdown()
    }

    @Test("the configuration file tells default_backend and send-proxy, until it is another than HAProxy runs with")
    func configurationFile() async throws {
        let port = try LoopbackPort.free()
        let sections = """
            frontend shop
              bind 127.0.0.1:\(port)
              default_backend pool
            backend pool
              default-server send-proxy-v2
              server one 192.0.2.1:80
              server two 192.0.2.2:80 no-send-proxy-v2 send-proxy
              server three 192.0.2.3:80 no-send-proxy-v2
            """
        try balancer.start(sections)
        let plugin = try await plugin(port: port) { $0.configuration = balancer.configuration }
        let watch = FrontendsWatch(plugin)
        let turn = { clock.advance(5) }
        let found = try await watch.frontends(of: "web", "known", turn: turn) { !$0.backends.isEmpty }
        #expect(found.backends.map { "\($0.name) \($0.proxyProtocol)" } == ["pool/one v2", "pool/two v1", "pool/three none"] && found.problem.isEmpty)
        // An address that is set at run time is the one that holds.
        try balancer.command("set server pool/two addr 192.0.2.9 port 81", answers: "IP changed")
        let moved = try await watch.frontends(of: "web", "moved", turn: turn) { $0.backends.dropFirst().first?.port == 81 }
        #expect(moved.backends.map { IPAddress(bytes: $0.address).map { "\($0)" } } == ["192.0.2.1", "192.0.2.9", "192.0.2.3"])

        // A file that is newer than HAProxy tells nothing, and another HAProxy that has read it is believed.
        let changed = sections.replacing("default-server send-proxy-v2", with: "default-server weight 1")
        // Times have whole seconds: it is written until it is newer.
        let stale = try await watch.frontends(of: "web", "stale", turn: { try balancer.write(changed); turn() }) { !$0.problem.isEmpty }
        #expect(stale.problem.hasSuffix("; \(balancer.configuration) was changed after HAProxy had read it: reload HAProxy"))
        #expect(stale.problem.hasPrefix("HAProxy does not tell which backend its frontend shop has"))
        #expect(await plugin.health().ready == false)
        try balancer.start(changed)
        let reloaded = try await watch.frontends(of: "web", "reloaded", turn: turn) { $0.problem.isEmpty && !$0.backends.isEmpty }
        #expect(reloaded.backends.map(\.proxyProtocol) == [.none, .v1, .none])
        #expect(await plugin.health() == .ready)
        await plugin.shutdown()
    }

    @Test("an HAProxy that comes late, goes and comes back elsewhere is followed; what it told last stays while it is away")
    func comesAndGoes() async throws {
        let (port, other) = (try LoopbackPort.free(), try LoopbackPort.free())
        let plugin = try await plugin(port: port)
        let watch = FrontendsWatch(plugin)
        let turn = { clock.advance(5) }
        let missing = try await watch.frontends(of: "web", "missing", turn: turn) { $0.problem.contains("does not exist") }
        #expect(missing.problem == "\(balancer.path) does not exist: start HAProxy with `stats socket \(balancer.path) mode 660 level operator` in its section global, or set `socket` to the path that it has there")
        #expect(missing.frontends.count == 1 && missing.backends.isEmpty)
        #expect(await plugin.health() == PluginHealth(ready: false, message: missing.problem))

        try balancer.start(section(port, ["one 192.0.2.1:80"]))
        _ = try await watch.frontends(of: "web", "there", turn: turn) { states($0) == ["shop/one unknown"] && $0.problem.isEmpty }
        balancer.end()
        let gone = try await watch.frontends(of: "web", "gone", turn: turn) { $0.problem.contains("nobody listens on") }
        #expect(states(gone) == ["shop/one unknown"] && gone.problem.hasSuffix("; what it told last stays"))
        #expect(await plugin.health().ready == false)

        try balancer.start(section(other, ["two 192.0.2.2:80"]))
        let moved = try await watch.frontends(of: "web", "moved", turn: turn) { $0.problem.contains("listens on port") }
        #expect(moved.backends.isEmpty)
        try balancer.start(section(port, ["three 192.0.2.3:80"], name: "market"))
        _ = try await watch.frontends(of: "web", "back", turn: turn) { states($0) == ["market/three unknown"] && $0.problem.isEmpty }
        #expect(await plugin.health() == .ready)
        await plugin.shutdown()
    }

    @Test("a socket of level user is refused with what to write instead")
    func levelUser() async throws {
        try balancer.start(section(try LoopbackPort.free(), ["one 192.0.2.1:80"]))
        let path = "\(balancer.directory.path)/user.sock"
        #expect(throws: SurveyFailed("HAProxy on \(path) lets this user see no addresses (level \"user\"): write `level operator` behind its `stats socket \(path)`")) {
            try RuntimeSocket(.path(path)).survey(after: nil)
        }
    }

    @Test("HAProxy may have its socket on TCP")
    func tcp() async throws {
        let (port, control) = (try LoopbackPort.free(), try LoopbackPort.free())
        try balancer.start("global\n  stats socket ipv4@127.0.0.1:\(control) level operator\n" + section(port, ["one 192.0.2.1:80"]))
        let plugin = try await plugin(port: port) { $0.socket = "127.0.0.1:\(control)" }
        let found = try await FrontendsWatch(plugin).frontends(of: "web", "known") { !$0.backends.isEmpty }
        #expect(states(found) == ["shop/one unknown"])
        await plugin.shutdown()
    }

    @Test("HAProxy is not asked while no service names the adapter, and its absence is no problem then")
    func noServices() async throws {
        let plugin = LoadBalancerHAProxy(host: host, time: clock.clock)
        try await plugin.configure(.init(socket: "/nonexistent/admin.sock"), host: HostFacts())
        try await plugin.updateServices(.with { $0.replaceAll = true })
        clock.advance(60)
        #expect(await plugin.health() == .ready)
        await plugin.shutdown()
    }

    private static let configurations: [(LoadBalancerHAProxy.Configuration, [String])] = [
        (.init(socket: "admin.sock"), ["socket"]), (.init(socket: "127.0.0.1"), ["socket"]), (.init(interval: .init(seconds: 0)), ["interval"]),
        (.init(interval: .init(seconds: 3601)), ["interval"]), (.init(frontends: ["web": "shop"]), ["frontends.web"]),
        (.init(frontends: ["/acme/web": ""]), ["frontends./acme/web"]), (.init(backends: ["shop": ""]), ["backends.shop"]),
        (.init(configuration: "haproxy.cfg"), ["configuration"]), (.init(configuration: "/a\0"), ["configuration"]),
        (
            .init(
                socket: "[::1]:9999", interval: .init(seconds: 1), frontends: ["/acme/web": "shop"], backends: ["shop": "web"],
                configuration: "/etc/haproxy/haproxy.cfg"), []
        ), (.init(), []),
    ]

    @Test("settings out of bounds are refused by name", arguments: configurations)
    func settings(configuration: LoadBalancerHAProxy.Configuration, fields: [String]) async {
        #expect(await LoadBalancerHAProxy(host: host).validate(configuration).map(\.field) == fields)
    }
}
