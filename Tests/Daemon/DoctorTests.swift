import Daemon
import FlowLog
import Interception
import Linux
import Policy
import SallyportProtocol
import Testing

@Suite("What the doctor says")
struct DoctorTests {
    /// A node with nothing wrong.
    private var healthy: DoctorFacts {
        var facts = DoctorFacts()
        facts.now = 1_800_000_000
        facts.capabilities = .max
        facts.clockIsSynchronised = true
        facts.plugins = [
            .with {
                $0.name = "everything"
                $0.kinds = [.policySource, .tlsProvider, .loadBalancerAdapter]
                $0.state = .ready
            }
        ]
        facts.units = [
            .with {
                $0.namespace = "/a"
                $0.name = "web"
                $0.local = true
                $0.intercepted = true
                $0.redirection = .steering
                $0.certificateNotAfter = facts.now + 3600
            }
        ]
        facts.services = [
            .with {
                $0.namespace = "/a"
                $0.name = "web"
                $0.targets = ["/a/web"]
                $0.frontends = ["192.0.2.1:80"]
            }
        ]
        facts.certificates = ["/a/web": UnitCertificate(notBefore: facts.now - 3600, problem: nil)]
        facts.resolved = ["/a/web"]
        facts.seenHere = ["/a/web"]
        facts.dialled = [.init(frontend: "192.0.2.1:80", service: "/a/web", answer: .connected)]
        facts.reach = [.init(service: "/a/web", outcome: .reachable)]
        return facts
    }

    /// What is not well: topic, whether it failed, and the text.
    private func wrong(_ change: (inout DoctorFacts) -> Void) -> [(topic: String, failed: Bool, text: String, mend: String)] {
        var facts = healthy
        change(&facts)
        return facts.checks.filter { $0.outcome != .passed }.map { ($0.topic, $0.outcome == .failed, $0.text, $0.mend) }
    }

    @Test("a node with nothing wrong has one line for each topic")
    func nothingWrong() {
        let checks = healthy.checks
        #expect(checks.allSatisfy { $0.outcome == .passed && $0.mend.isEmpty })
        #expect(checks.map(\.topic) == [
            "kernel", "privileges", "clock", "plugins", "policy", "interception", "certificates", "frontends", "services", "proxy-protocol", "load-balancers",
        ])
    }

    @Test("a kernel feature that is missing is told with its mend; without one that protection needs, or that could not be tried, the check fails")
    func kernel() {
        func feature(_ isRequired: Bool, _ available: Bool = false) -> KernelFeature {
            KernelFeature(name: "nat", available: available, isRequired: isRequired, detail: "no such thing", mend: "load it")
        }
        let needed = wrong { $0.kernel = [feature(true), feature(true, true)] }
        #expect(needed.map(\.text) == ["nat: no such thing"] && needed[0].failed && needed[0].mend == "load it")
        #expect(wrong { $0.kernel = [feature(false)] }.map(\.failed) == [false])
        #expect(wrong { $0.kernel = nil }.map(\.failed) == [true])
    }

    @Test("a missing capability is named; without one that protection needs, the check fails")
    func privileges() {
        let needed = wrong { $0.capabilities = .max & ~(1 << 12) }
        #expect(needed.map(\.text) == ["CAP_NET_ADMIN is missing"] && needed[0].failed && needed[0].mend.contains("CapabilityBoundingSet="))
        let wanted = wrong { $0.capabilities = .max & ~(1 << 0) }
        #expect(wanted.map(\.text) == ["CAP_CHOWN is missing"] && !wanted[0].failed)
        #expect(wrong { $0.capabilities = nil }.map(\.topic) == ["privileges"])
        #expect(DoctorFacts.effectiveCapabilities(status: "Name:\tsallyportd\nCapInh:\t0000000000000000\nCapEff:\t00000000002810e1\nSeccomp:\t2\n") == 0x2810e1)
        #expect(DoctorFacts.effectiveCapabilities(status: "CapEff:\tnonsense\n") == nil && DoctorFacts.effectiveCapabilities(status: "") == nil)
    }

    @Test("a clock that nobody keeps right is a warning, a certificate of the future a failure")
    func clock() {
        #expect(wrong { $0.clockIsSynchronised = false }.map(\.topic) == ["clock"])
        #expect(wrong { $0.clockIsSynchronised = nil }.map(\.failed) == [false])
        let future = wrong { $0.certificates["/a/web"] = UnitCertificate(notBefore: $0.now + 600, problem: nil) }
        #expect(future.first?.text == "/a/web: its certificate begins in 10 min: this clock is behind, or the issuer's ahead" && future.first?.failed == true)
    }

    @Test("plugins that are not ready are told with their message, and kinds that nobody serves are missed")
    func plugins() {
        let degraded = wrong {
            $0.plugins[0].state = .backoff
            $0.plugins[0].message = "it ended"
            $0.plugins[0].required = true
        }
        #expect(degraded.map(\.text) == ["everything is backing off: it ended"] && degraded[0].failed)
        let missing = wrong { $0.plugins[0].kinds = [.policySource] }
        #expect(missing.map(\.text) == [
            "there is no TLS provider: no unit has a certificate", "there is no load-balancer adapter: names of services are not resolved",
        ])
        // It may turn out to be the one that is missed.
        let unknown = wrong {
            $0.plugins[0].kinds = [.policySource]
            $0.plugins.append(.with { $0.name = "new" })
        }
        #expect(unknown.map(\.text) == ["new is starting"])
        #expect(wrong { $0.plugins[0].state = .disabled }.count == 3)
    }

    @Test("a policy that is gone and documents that are wrong fail, and a warning is one")
    func policy() {
        #expect(wrong { $0.conditions = ["the policy is empty"] }.map(\.failed) == [true])
        func problem(_ severity: Sallyport_Policy_V1_Problem.Severity) -> Sallyport_Policy_V1_Problem {
            .with {
                $0.origin = "web.yaml:3:1"
                $0.field = "spec.port"
                $0.message = "must be 1 to 65535"
                $0.severity = severity
            }
        }
        let found = wrong { $0.problems = [problem(.warning), problem(.error)] }
        #expect(found.map(\.failed) == [true, false] && found[0].text == "web.yaml:3:1: spec.port: must be 1 to 65535")
    }

    @Test("a unit that is not intercepted is told with the reason, and not as one without a certificate; else it is told how units are led here")
    func interception() {
        let missing = wrong {
            $0.units[0].intercepted = false
            $0.units[0].problem = "no network namespace /run/netns/web"
        }
        #expect(missing.map(\.topic) == ["interception"] && missing[0].failed)
        #expect(missing[0].text == "/a/web is not intercepted: no network namespace /run/netns/web")
        func said(_ change: (inout DoctorFacts) -> Void) -> [String] {
            var facts = healthy
            change(&facts)
            return facts.checks.filter { $0.topic == "interception" }.map(\.text)
        }
        #expect(said { _ in } == ["of every unit of this node, 1 by steering and 0 by nat"])
        #expect(said { $0.units[0].redirection = .nat } == ["of every unit of this node, 0 by steering and 1 by nat"])
        #expect(said { $0.units[0].local = false } == ["has nothing to do: no unit is of this node"])
    }

    @Test("certificates that are missing, over or near their end are told, of units and of public ports")
    func certificates() {
        #expect(wrong { $0.units[0].certificateNotAfter = $0.now }.map(\.text) == ["/a/web: its certificate has ended"])
        #expect(wrong { $0.units[0].certificateNotAfter = 0 }.map(\.text) == ["/a/web: has no certificate yet"])
        func renewed(_ age: Int64, of life: Int64, _ problem: String? = nil) -> [String] {
            wrong {
                $0.units[0].certificateNotAfter = $0.now - age + life
                $0.certificates = ["/a/web": UnitCertificate(notBefore: $0.now - age, problem: problem)]
            }.map(\.text)
        }
        #expect(renewed(900, of: 1000) == [])
        #expect(renewed(901, of: 1000) == ["/a/web: its certificate was not renewed, and ends in 99 s"])
        #expect(renewed(0, of: 90_000, "no provider") == ["/a/web: its certificate could not be renewed, and ends in 25 h: no provider"])
        #expect(renewed(1000, of: 1000, "no provider") == ["/a/web: its certificate has ended: no provider"])
        // Of other nodes nothing is known.
        #expect(wrong { $0.units[0].local = false; $0.units[0].certificateNotAfter = 0 }.isEmpty)
        func published(_ days: Int64, _ problem: String = "") -> [String] {
            wrong {
                $0.services[0].publicPort = 8003
                $0.services[0].publicCertificateNotAfter = $0.now + days * 86400
                $0.services[0].publicProblem = problem
            }.map(\.text)
        }
        #expect(published(8) == [])
        #expect(published(6) == ["/a/web: what its public port serves ends in 6 days"])
        #expect(published(-1) == ["/a/web: what its public port serves has ended"])
        #expect(published(8, "tls.pem: no certificate") == ["/a/web: tls.pem: no certificate"])
        #expect(published(6, "tls.pem: no certificate").count == 2)
        func refused(served: Bool) -> [Bool] {
            wrong {
                $0.services[0].publicPort = 8003
                $0.services[0].publicProblem = "tls.pem: no certificate"
                if served { $0.servedPublicly = ["/a/web"] }
            }.map(\.failed)
        }
        #expect(refused(served: false) == [true] && refused(served: true) == [false])
    }

    @Test("frontends that are not resolved or do not answer are told; what was known last makes a problem a warning")
    func frontends() {
        let known = wrong { $0.services[0].problem = "static: lb.example: no such name" }
        #expect(known.map(\.text) == ["/a/web: static: lb.example: no such name"] && !known[0].failed)
        let unknown = wrong {
            $0.services[0].problem = "static: lb.example: no such name"
            $0.resolved = []
        }
        #expect(unknown.map(\.topic) == ["frontends"] && unknown[0].failed)
        #expect(wrong { $0.resolved = [] }.map(\.text) == ["/a/web: has no address to dial yet"])
        #expect(wrong { $0.resolved = []; $0.seenHere = [] }.isEmpty)
        let refused = wrong { $0.dialled[0].answer = .refused("Connection refused") }
        #expect(refused.map(\.text) == ["/a/web: 192.0.2.1:80 does not answer this node: Connection refused"] && refused[0].failed)
        #expect(wrong { $0.dialled[0].answer = .silent }.map(\.failed) == [false])
        #expect(wrong { $0.dialled[0].answer = .untried("no right") }.map(\.text) == ["/a/web: 192.0.2.1:80 was not dialled: no right"])
        #expect(wrong { $0.dialled[0].answer = .unroutable }.isEmpty)
    }

    @Test("services that nobody implements, sees or may call are told; one with a public port needs no unit that may")
    func services() {
        func found(_ outcome: ServiceReach.Outcome, isPublic: Bool = false) -> [String] {
            wrong { $0.reach = [.init(service: "/a/web", outcome: outcome, isPublic: isPublic)] }.map(\.text)
        }
        #expect(found(.unimplemented, isPublic: true) == ["/a/web: no unit that is known implements it"])
        #expect(found(.unseen) == ["/a/web: no unit that is known sees it"])
        #expect(found(.refused(client: "/a/cron")) == ["/a/web: no unit that is known may call it, not /a/cron either, which sees it"])
        #expect(found(.unseen, isPublic: true).isEmpty && found(.refused(client: "/a/cron"), isPublic: true).isEmpty)
        #expect(found(.unknown).isEmpty)
        let mend = wrong { $0.reach = [.init(service: "/a/web", outcome: .refused(client: "/a/cron"))] }.first?.mend
        #expect(mend?.contains("sallyport explain --from /a/cron --to service:/a/web") == true)
        #expect(wrong { $0.reach = nil }.map(\.topic) == ["services"])
    }

    @Test("PROXY protocol mismatches are counted by service, each with what to do")
    func proxyProtocol() {
        let found = wrong {
            $0.refusals = [
                .init(service: "/a/web", reason: .proxyHeaderMissing, count: 2), .init(service: "/a/web", reason: .proxyHeaderUntrusted, count: 1),
                .init(service: "/b/x", reason: .proxyHeaderMissing, count: 1),
            ]
        }
        #expect(found.map(\.text) == [
            "/a/web: flows refused as proxy-header-missing in the last hour: 2",
            "/b/x: flows refused as proxy-header-missing in the last hour: 1",
            "/a/web: flows refused as proxy-header-untrusted in the last hour: 1",
        ])
        #expect(found.allSatisfy { !$0.failed && !$0.mend.isEmpty })
    }

    private func server(
        _ name: String, _ address: String = "", _ port: UInt32 = 0, state: Sallyport_Plugin_V1_Backend.State = .up,
        header: Sallyport_Plugin_V1_Backend.ProxyProtocol = .unknown
    ) -> Sallyport_Plugin_V1_Backend {
        .with {
            $0.name = name
            $0.address = .init(IPAddress(address)?.bytes ?? [])
            $0.port = port
            $0.state = state
            $0.detail = state == .down ? "L4CON" : ""
            $0.proxyProtocol = header
        }
    }

    private func balanced(_ servers: [Sallyport_Plugin_V1_Backend], publicPort: UInt16 = 0, _ header: BalancedService.Header = .absent) -> [(topic: String, failed: Bool, text: String, mend: String)] {
        wrong {
            $0.balancers = [.init(service: "/a/web", targetPort: 80, publicPort: publicPort, header: header, servers: servers)]
            $0.unitAddresses = IPAddress("10.1.0.1").map { [$0] } ?? []
        }
    }

    @Test("a server that is sent what its service does not expect is told, where that is known")
    func headers() {
        let servers = [server("s/none", header: .none), server("s/v2", header: .v2), server("s/unknown")]
        #expect(balanced(servers, .optional).isEmpty)
        #expect(balanced(servers, .required).map(\.text) == ["/a/web: the load balancer's server s/none is sent no PROXY header, and the service requires one"])
        #expect(balanced(servers).map(\.text) == ["/a/web: the load balancer's server s/v2 is sent a PROXY header, and the service expects none"])
    }

    @Test("a server's port is judged at a unit's own address only, where it must be the target or the public port")
    func serverPorts() {
        let servers = [
            server("s/target", "10.1.0.1", 80), server("s/public", "10.1.0.1", 8003), server("s/node", "192.0.2.1", 31_844),
            server("s/wrong", "10.1.0.1", 8080), server("s/unknown"), server("s/portless", "10.1.0.1"),
        ]
        #expect(balanced(servers, publicPort: 8003).map(\.text) == [
            "/a/web: the load balancer's server s/wrong is port 8080 of a unit, which is not the service's target port 80, nor its public port 8003"
        ])
        #expect(balanced([servers[1]]).map(\.failed) == [false])
    }

    @Test("one server that is down is a warning, all of them a failure")
    func serversDown() {
        let some = balanced([server("s/1", state: .down), server("s/2")])
        #expect(some.map(\.text) == ["/a/web: the load balancer's server s/1 is down: L4CON"] && !some[0].failed)
        let all = balanced([server("s/1", state: .down), server("s/2", state: .down)])
        #expect(all.map(\.text) == ["/a/web: the load balancer holds all 2 servers for down: L4CON"] && all[0].failed)
        #expect(balanced([server("s/1", state: .down)]).map(\.text) == ["/a/web: the load balancer holds its only server s/1 for down: L4CON"])
    }

    @Test("of very many findings about one topic the worst are told, and how many more there are; long texts are cut")
    func many() {
        let found = wrong { facts in
            facts.dialled = (0..<50).map { .init(frontend: "192.0.2.\($0):80", service: "/a/web", answer: $0 == 49 ? .refused("Connection refused") : .silent) }
        }
        #expect(found.count == 21 && found.last?.text == "and 30 more" && found.last?.failed == false)
        #expect(found[0].failed && found[0].text.contains("192.0.2.49:80"))
        #expect(wrong { $0.services[0].problem = String(repeating: "x", count: 100_000) }.map(\.text.count) == [400])
    }
}
