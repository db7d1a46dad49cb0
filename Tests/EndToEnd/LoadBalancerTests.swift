// Use case 2: the node itself, a unit of one namespace, reaches units of another through a load balancer that ends TCP, and
// a node port behind it. The load balancer is HAProxy.

import Foundation
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct LoadBalancerTests {
    /// Node 1 is a unit of /test/offices, servers on node 2 are of /test/shop, and the balancer stands between them. What it dials,
    /// 10.1.0.2:31844 and [fd00:1::2]:31844, leads to the server's port 80.
    struct Scene {
        let node1, node2, balancer, outside: NetworkNode
        let server: NetworkContainer
        let sallyport: Sallyport
        let enforcer1, enforcer2: Enforcer

        /// - Parameter proxyProtocol: The service's `loadBalancer.proxyProtocol`.
        init(proxyProtocol: String = "{enabled: true, subnets: [10.1.0.9/32, \"fd00:1::9/128\"]}", settings: String = "") throws {
            let network = try Network()
            node1 = try network.node("node1", "10.1.0.1/24", "fd00:1::1/64")
            node2 = try network.node("node2", "10.1.0.2/24", "fd00:1::2/64")
            balancer = try network.node("balancer", "10.1.0.9/24", "fd00:1::9/64")
            outside = try network.node("outside", "10.1.0.50/24", "fd00:1::50/64")
            server = try node2.container("server", "10.244.2.10/24", "fd00:244:2::10/64")
            try node2.clusterIP("10.1.0.2", port: 31844, to: "10.244.2.10:80")
            try node2.clusterIP("fd00:1::2", port: 31844, to: "[fd00:244:2::10]:80")
            try server.nginx(port: 80, body: "the secret of a server")
            sallyport = try Sallyport()
            try sallyport.policy("units", """
                apiVersion: sallyport.dev/v1
                kind: ProcessingUnit
                metadata: {name: desk, namespace: /test/offices}
                spec: {type: Host, node: node1, addresses: [10.1.0.1, "fd00:1::1"], tags: [app=desk]}
                ---
                apiVersion: sallyport.dev/v1
                kind: ProcessingUnit
                metadata: {name: server, namespace: /test/shop}
                spec: {type: Container, node: node2, networkNamespace: \(server.namespacePath), addresses: [10.244.2.10, "fd00:244:2::10"], tags: [app=web]}
                ---
                apiVersion: sallyport.dev/v1
                kind: NetworkRuleset
                metadata: {name: desk, namespace: /test/offices}
                spec: {subject: [["app=desk"]], outgoing: [{action: Allow, object: [["app=web"]], ports: [tcp/80]}]}
                ---
                apiVersion: sallyport.dev/v1
                kind: NetworkRuleset
                metadata: {name: web, namespace: /test/shop}
                spec: {subject: [["app=web"]], incoming: [{action: Allow, object: [["app=desk"]], ports: [tcp/80]}]}
                """)
            try sallyport.policy("service", """
                apiVersion: sallyport.dev/v1
                kind: TCPService
                metadata: {name: web, namespace: /test/shop}
                spec:
                  loadBalancer: {addresses: [10.1.0.9, "fd00:1::9"], port: 8001, proxyProtocol: \(proxyProtocol)}
                  target: {selector: [["app=web"]], port: 80}
                  tags: [visible=yes]
                """)
            enforcer1 = try sallyport.enforcer(on: node1, settings: settings)
            enforcer2 = try sallyport.enforcer(on: node2, settings: settings)
        }

        func dependency(_ more: String = "propagate: true") throws {
            try sallyport.policy("dependency", """
                apiVersion: sallyport.dev/v1
                kind: ServiceDependencyPolicy
                metadata: {name: desk-web, namespace: /}
                spec: {subject: [["app=desk"]], object: [["visible=yes"]], \(more)}
                """)
        }

        /// Lets the desk reach the servers on another port than 80, too.
        func allow(port: UInt16) throws {
            try sallyport.policy("allow-\(port)", """
                apiVersion: sallyport.dev/v1
                kind: NetworkRuleset
                metadata: {name: desk-\(port), namespace: /test/offices}
                spec: {subject: [["app=desk"]], outgoing: [{action: Allow, object: [["app=web"]], ports: [tcp/\(port)]}]}
                ---
                apiVersion: sallyport.dev/v1
                kind: NetworkRuleset
                metadata: {name: web-\(port), namespace: /test/shop}
                spec: {subject: [["app=web"]], incoming: [{action: Allow, object: [["app=desk"]], ports: [tcp/\(port)]}]}
                """)
        }

        /// - Parameter options: Of HAProxy's `server` lines: "send-proxy-v2".
        func balance(_ options: String, bind: String = "") throws {
            try balancer.haproxy(port: 8001, """
                frontend web
                  bind :::8001 v4v6 \(bind)
                  use_backend web6 if { src fd00::/8 }
                  default_backend web4
                backend web4
                  server node2 10.1.0.2:31844 \(options)
                backend web6
                  server node2 [fd00:1::2]:31844 \(options)
                """)
        }

        func call(_ host: String) throws -> ProgramResult {
            try node1.run("curl", "-sS", "--globoff", "--max-time", "10", "http://\(host):8001/")
        }

        func eventually(_ what: String, _ condition: () throws -> Bool) throws {
            do {
                try Support.eventually(what, condition)
            } catch {
                throw NetworkError(what: "\(error)\nnode1:\n\(enforcer1.log)\nnode2:\n\(enforcer2.log)")
            }
        }
    }

    @Test("a node reaches units of another namespace through a load balancer that tells its address, once a policy makes the service visible",
        arguments: [("send-proxy", 1), ("send-proxy-v2", 2)])
    func useCase2(option: String, version: Int) throws {
        let scene = try Scene()
        try scene.balance(option)
        // Without the dependency this is no flow of the service: it passes the first enforcer by, and the second refuses it.
        let explained = try scene.enforcer1.command("explain", "--from", "/test/offices/desk", "--to", "/test/shop/web")
        #expect(explained.output.contains("no service dependency policy") || explained.output.contains("does not see"), "\(explained)")
        #expect(try scene.call("10.1.0.9").status != 0)

        try scene.dependency()
        for (host, source) in [("10.1.0.9", "10.1.0.1"), ("[fd00:1::9]", "fd00:1::1")] {
            try scene.eventually("served through \(host)") { try scene.call(host).output == "the secret of a server" }
            let flow = try scene.enforcer2.flow { $0.verdict == "accepted" && $0.sourceAddress == source }
            #expect(flow.encrypted == "enforcer" && flow.source.name == "desk" && flow.service == "/test/shop/web")
            #expect(flow.proxyProtocolVersion == version)
            #expect(flow.tcpPeerAddress == (source == "10.1.0.1" ? "10.1.0.9" : "fd00:1::9"))
            #expect(flow.dialledPort == 8001)
        }
    }

    @Test("a service whose adapter is HAProxy's runtime socket is reached as any other, and shows what HAProxy tells")
    func runtimeSocket() throws {
        let scene = try Scene()
        let directory = try TemporaryDirectory()
        let socket = "\(directory.path)/admin.sock"
        for enforcer in [scene.enforcer1, scene.enforcer2] {
            let config = "socket: \(socket), interval: 1s, backends: {web: pool}"
            try enforcer.dropIn("32-haproxy.yaml", scene.sallyport.dropIn("load-balancer-haproxy", "load-balancer-adapter", config))
            try enforcer.command("reload")
        }
        try scene.sallyport.policy("service", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: web, namespace: /test/shop}
            spec:
              loadBalancer:
                addresses: [10.1.0.9, "fd00:1::9"]
                port: 8001
                adapter: haproxy
                proxyProtocol: {enabled: true, subnets: [10.1.0.9/32, "fd00:1::9/128"]}
              target: {selector: [["app=web"]], port: 80}
              tags: [visible=yes]
            """)
        try scene.dependency()
        func shows(_ problem: String, adapter state: String) throws {
            for enforcer in [scene.enforcer1, scene.enforcer2] {
                var seen: [Enforcer.ServiceStatus] = []
                try scene.eventually("\(problem): \(state)") {
                    seen = try enforcer.services()
                    let isShown = problem.isEmpty ? seen.first?.problem == "" : seen.first?.problem.contains(problem) == true
                    return try isShown && enforcer.plugin("haproxy")?.state == state
                }
                #expect(seen.map(\.adapter) == ["haproxy"] && seen.first?.frontends.sorted() == ["10.1.0.9:8001", "[fd00:1::9]:8001"], "\(seen)")
            }
        }
        /// What each enforcer tells of HAProxy's servers, and the doctor's checks of topic `load-balancers`.
        func eventuallyTells(_ server: String, _ checks: [(String, String)]) throws {
            for enforcer in [scene.enforcer1, scene.enforcer2] {
                try scene.eventually("told of \(server)") {
                    try enforcer.services().first?.servers.map { "\($0.name) \($0.address) \($0.state)" } == [server]
                }
                let found = try enforcer.doctor("load-balancers")
                #expect(found.map(\.outcome) == checks.map(\.0), "\(found)")
                for (check, expected) in zip(found, checks) { #expect(check.text.contains(expected.1) && check.mend.isEmpty == (expected.0 == "passed"), "\(found)") }
            }
        }
        func balance(to server: String) throws -> NetworkProgram {
            try scene.balancer.haproxy(port: 8001, """
                global
                  stats socket \(socket) mode 600 level operator
                frontend web
                  bind :::8001 v4v6
                  default_backend pool
                backend pool
                  server node2 \(server) send-proxy-v2 check inter 100ms fall 1
                """)
        }
        // Its frontends are the document's, whether HAProxy answers or not.
        try shows("haproxy: \(socket) does not exist: start HAProxy", adapter: "degraded")
        #expect(try scene.enforcer1.doctor("frontends").map(\.outcome).first == "failed", "nobody listens there")
        let balancer = try balance(to: "10.1.0.2:31844")
        try shows("", adapter: "ready")
        try eventuallyTells("pool/node2 10.1.0.2:31844 up", [("passed", "1 server")])
        #expect(try scene.enforcer1.doctor("frontends").map(\.outcome) == ["passed"])
        for (host, source) in [("10.1.0.9", "10.1.0.1"), ("[fd00:1::9]", "fd00:1::1")] {
            try scene.eventually("served through \(host)") { try scene.call(host).output == "the secret of a server" }
            let flow = try scene.enforcer2.flow { $0.verdict == "accepted" && $0.sourceAddress == source }
            #expect(flow.encrypted == "enforcer" && flow.service == "/test/shop/web" && flow.proxyProtocolVersion == 2)
        }
        let generation = try scene.enforcer1.policyGeneration
        balancer.stop()
        let broken = try balance(to: "10.1.0.2:1")
        try shows("haproxy: HAProxy's backend pool is DOWN: none of its servers takes connections", adapter: "ready")
        try eventuallyTells("pool/node2 10.1.0.2:1 down", [("failed", "its only server pool/node2 for down")])
        broken.stop()
        // At a unit's own address, to which the balancer has no way, its port is known to be wrong.
        let astray = try balance(to: "10.244.2.10:8080")
        try eventuallyTells("pool/node2 10.244.2.10:8080 down", [("failed", "for down"), ("warning", "is port 8080 of a unit, which is not the service's target port 80")])
        astray.stop()
        try shows("nobody listens on \(socket): start HAProxy", adapter: "degraded")
        try FileManager.default.removeItem(atPath: socket)
        _ = try balance(to: "10.1.0.2:31844")
        try shows("", adapter: "ready")
        #expect(try scene.enforcer1.policyGeneration == generation, "servers that come and go are no change of policy")
        try scene.eventually("served again") { try scene.call("10.1.0.9").output == "the secret of a server" }
    }

    @Test("the doctor names a service that nobody may call, until a policy makes it visible")
    func nobodyMayCall() throws {
        let scene = try Scene()
        let shut = try scene.enforcer1.doctor("services")
        #expect(shut.map(\.outcome) == ["warning"] && shut.first?.text.hasPrefix("/test/shop/web: no unit that is known") == true, "\(shut)")
        try scene.dependency()
        try scene.eventually("called by somebody") { try scene.enforcer1.doctor("services").map(\.outcome) == ["passed"] }
    }

    @Test("the doctor says that a daemon does not run, what its rules hold, and that its settings are right")
    func doctorWithoutDaemon() throws {
        let scene = try Scene()
        #expect(try scene.enforcer2.doctor("daemon").isEmpty)
        try scene.enforcer2.stop()
        #expect(try scene.enforcer2.doctor("daemon").map(\.outcome) == ["failed"])
        #expect(try scene.enforcer2.doctor("settings").map(\.outcome) == ["passed"])
        #expect(try scene.enforcer2.doctor("kernel").allSatisfy { $0.outcome != "failed" })
        let held = try scene.enforcer2.doctor("interception")
        #expect(held.map(\.outcome) == ["warning"] && held.first?.text.contains("1 network namespace") == true, "\(held)")
    }

    @Test("a load balancer without PROXY protocol carries the enforcers' session as well")
    func withoutProxyProtocol() throws {
        let scene = try Scene(proxyProtocol: "{enabled: false}")
        try scene.balance("")
        try scene.dependency("propagate: true, fallback: true")
        try scene.eventually("served") { try scene.call("10.1.0.9").output == "the secret of a server" }
        let flow = try scene.enforcer2.flow { $0.verdict == "accepted" }
        #expect(flow.encrypted == "enforcer" && flow.sourceAddress == "10.1.0.1" && flow.tcpPeerAddress == "10.1.0.9")
        #expect(flow.proxyProtocolVersion == nil)
    }

    @Test("through a load balancer that ends TLS the enforcers' session is end to end, and the load balancer's certificate is verified")
    func terminatesTLS() throws {
        let scene = try Scene()
        let certificate = try ServerCertificate(for: "lb.example")
        let directory = try TemporaryDirectory()
        let file = directory.path + "/lb.pem"
        try directory.write("lb.pem", certificate.pem + certificate.key, mode: 0o600)
        func service(_ name: String, _ issuer: ServerCertificate, _ more: String = "") throws {
            let pem = issuer.pem.split(separator: "\n").map { "        \($0)" }.joined(separator: "\n")
            try scene.sallyport.policy("service", """
                apiVersion: sallyport.dev/v1
                kind: TCPService
                metadata: {name: web, namespace: /test/shop}
                spec:
                  loadBalancer:
                    addresses: [10.1.0.9, "fd00:1::9"]
                    port: 8001
                    proxyProtocol: {enabled: true, subnets: [10.1.0.9/32, "fd00:1::9/128"]}
                    tls:
                      serverName: \(name)
                      caBundle: |
                \(pem)
                  target: {selector: [["app=web"]], port: 80\(more)}
                  tags: [visible=yes]
                """)
        }
        try service("lb.example", certificate)
        try scene.dependency()
        try scene.balance("send-proxy-v2", bind: "ssl crt \(file)")
        for host in ["10.1.0.9", "[fd00:1::9]"] {
            try scene.eventually("served through \(host)") { try scene.call(host).output == "the secret of a server" }
        }
        let flow = try scene.enforcer2.flow { $0.verdict == "accepted" }
        #expect(flow.encrypted == "enforcer" && flow.peerSpiffeId?.hasSuffix("/pu/desk") == true && flow.sourceAddress == "10.1.0.1")
        // More than one record, both ways.
        let long = try scene.node1.run("bash", "-c", "head -c 3000000 /dev/zero | curl -sS --max-time 20 -T - -o /dev/null -w '%{http_code}' http://10.1.0.9:8001/x")
        #expect(long.output == "200", "\(long)")

        for (name, issuer) in [("other.example", certificate), ("lb.example", try ServerCertificate(for: "lb.example"))] {
            try service(name, issuer)
            let flow = try scene.enforcer1.flow({ $0.verdict == "refused" }) {
                try scene.eventually("refused") { try scene.call("10.1.0.9").status != 0 }
            }
            #expect(flow.reason == "load-balancer-tls-failed" && flow.detail?.isEmpty == false, "\(flow)")
        }

        // The application's own TLS leaves the enforcers' session, and stays in the one to the load balancer.
        let own = try ServerCertificate(for: "app.example")
        try scene.server.nginx(port: 443, body: "a secret of its own", certificate: own)
        try scene.node2.nft("flush table ip kube-proxy; add rule ip kube-proxy prerouting ip daddr 10.1.0.2 tcp dport 31844 dnat to 10.244.2.10:443")
        try scene.allow(port: 443)
        try service("lb.example", certificate)
        try scene.sallyport.policy("service", String(contentsOfFile: "\(scene.sallyport.policyDirectory)/service.yaml", encoding: .utf8).replacing("port: 80}", with: "port: 443}"))
        try scene.eventually("served with its own TLS") {
            try scene.node1.run("curl", "-sSk", "--max-time", "10", "https://10.1.0.9:8001/").output == "a secret of its own"
        }
        let inner = try scene.enforcer2.flow { $0.verdict == "accepted" && $0.targetPort == 443 }
        #expect(inner.encrypted == "application")
    }

    @Test("a load balancer's health checks reach no application, make no flow, and are counted")
    func healthChecks() throws {
        let scene = try Scene()
        let deliveries = try Deliveries(to: scene.server, port: 80)
        try scene.balance("check inter 50ms send-proxy-v2")
        try scene.eventually("checked") { try scene.enforcer2.metric("sallyport_health_checks_total") ?? 0 > 10 }
        #expect(try scene.enforcer2.flows().isEmpty)
        #expect(try deliveries.count == 0)
        // It takes the server for alive.
        try scene.dependency()
        try scene.eventually("served") { try scene.call("10.1.0.9").output == "the secret of a server" }
    }

    @Test("PROXY headers that are bad, missing, late, twice or from elsewhere are refused with their reason, and harm nobody else")
    func badHeaders() throws {
        let scene = try Scene(settings: "timeouts: {proxyHeader: 1s}")
        try scene.balance("send-proxy-v2")
        try scene.dependency()
        try scene.eventually("served") { try scene.call("10.1.0.9").output == "the secret of a server" }
        let caller = try Caller(from: scene.node1, url: "http://10.1.0.9:8001/")

        let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
        let good = Array("PROXY TCP4 10.9.9.9 10.1.0.9 4000 8001\r\n".utf8)
        let cases: [(what: Comment, bytes: [UInt8], reason: String)] = [
            ("version nibble", signature + [0x31, 0x11, 0, 12] + [UInt8](repeating: 1, count: 12), "bad-proxy-header"),
            ("unknown command", signature + [0x2f, 0x11, 0, 12] + [UInt8](repeating: 1, count: 12), "bad-proxy-header"),
            ("unknown family", signature + [0x21, 0x51, 0, 12] + [UInt8](repeating: 1, count: 12), "bad-proxy-header"),
            ("a length that lies", signature + [0x21, 0x11, 0, 3, 1, 2, 3], "bad-proxy-header"),
            ("a TLV that overruns", signature + [0x21, 0x11, 0, 15] + [UInt8](repeating: 1, count: 12) + [0x02, 0, 9], "bad-proxy-header"),
            ("a wrong checksum", signature + [0x21, 0x11, 0, 19] + [UInt8](repeating: 1, count: 12) + [0x03, 0, 4, 1, 2, 3, 4], "bad-proxy-header"),
            ("an over-long line", Array("PROXY TCP4 \(String(repeating: "1", count: 120))".utf8), "bad-proxy-header"),
            ("no CR", Array("PROXY TCP4 10.9.9.9 10.1.0.9 4000 8001\n".utf8), "bad-proxy-header"),
            ("a leading zero", Array("PROXY TCP4 10.9.9.9 10.1.0.9 04000 8001\r\n".utf8), "bad-proxy-header"),
            ("port 65536", Array("PROXY TCP4 10.9.9.9 10.1.0.9 65536 8001\r\n".utf8), "bad-proxy-header"),
            ("twice", good + good, "bad-proxy-header"),
            ("cut short", Array(good.dropLast(5)), "proxy-header-timeout"),
            ("plain HTTP", Array("GET / HTTP/1.0\r\n\r\n".utf8), "proxy-header-missing"),
            ("TLS", enforcersClientHello, "proxy-header-missing"),
            ("nothing", [], "proxy-header-timeout"),
        ]
        let forger = try Intruder(from: scene.balancer, to: "10.1.0.2", port: 31844)
        for (what, bytes, reason) in cases {
            let flow = try scene.enforcer2.flow({ $0.verdict == "refused" }) {
                let answer = try forger.sends(bytes)
                #expect(answer.output.isEmpty, what)
            }
            #expect(flow.reason == reason, what)
            #expect(flow.tcpPeerAddress == "10.1.0.9" && flow.encrypted == "no", what)
            if reason == "bad-proxy-header" { #expect(flow.detail?.isEmpty == false, what) }
        }
        // From outside the subnets a header is never believed, and says that something is set up wrongly.
        let outsider = try Intruder(from: scene.outside, to: "10.1.0.2", port: 31844)
        let flow = try scene.enforcer2.flow({ $0.verdict == "refused" }) { try outsider.sends(good + Array("GET / HTTP/1.0\r\n\r\n".utf8)) }
        #expect(flow.reason == "proxy-header-untrusted" && flow.sourceAddress == "10.1.0.50")
        #expect(flow.detail?.contains("preserves client addresses") == true)
        #expect(flow.service == "/test/shop/web")
        let told = try scene.enforcer2.doctor("proxy-protocol")
        #expect(told.contains { $0.text == "/test/shop/web: flows refused as proxy-header-untrusted in the last hour: 1" && $0.outcome == "warning" }, "\(told)")
        #expect(told.contains { $0.text == "/test/shop/web: flows refused as proxy-header-timeout in the last hour: 2" }, "\(told)")
        // One that is believed and says whom policy does not let in.
        let stranger = try scene.enforcer2.flow({ $0.verdict == "refused" }) { try forger.sends(good + Array("GET / HTTP/1.0\r\n\r\n".utf8)) }
        #expect(stranger.reason == "default-reject" && stranger.sourceAddress == "10.9.9.9" && stranger.proxyProtocolVersion == 1)

        let answered = try caller.stop()
        // Before it was the call that was served first.
        try scene.eventually("recorded, every one of \(answered) calls") { try scene.enforcer2.flows().count { $0.verdict == "accepted" } > answered }
    }
}
