import Daemon
import Interception
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
        facts.dialled = [.init(frontend: "192.0.2.1:80", service: "/a/web", problem: nil)]
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
            "kernel", "privileges", "clock", "plugins", "policy", "certificates", "frontends", "services", "proxy-protocol",
        ])
    }

    @Test("a missing capability is named; without one that protection needs, the check fails")
    func privileges() {
        let needed = wrong { $0.capabilities = .max & ~(1 << 12) }
        #expect(needed.map(\.text) == ["CAP_NET_ADMIN is missing"] && needed[0].failed && needed[0].mend.contains("CapabilityBoundingSet="))
        let wanted = wrong { $0.capabilities = .max & ~(1 << 0) }
        #expect(wanted.map(\.text) == ["CAP_CHOWN is missing"] && !wanted[0].failed)
    }

    @Test("a clock that nobody keeps right is a warning")
    func clock() {
        #expect(wrong { $0.clockIsSynchronised = false }.map(\.topic) == ["clock"])
        #expect(wrong { $0.clockIsSynchronised = nil }.map(\.failed) == [false])
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
    }

    @Test("certificates that are missing, over or near their end are told, of units and of public ports")
    func certificates() {
        #expect(wrong { $0.units[0].certificateNotAfter = $0.now }.map(\.text) == ["/a/web: its certificate has ended"])
        #expect(wrong { $0.units[0].problem = "no certificate yet" }.map(\.failed) == [true])
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
    }

    @Test("frontends that are not resolved or do not answer, and services that nobody implements or may call, are told")
    func services() {
        #expect(wrong { $0.services[0].problem = "static: lb.example: no such name" }.map(\.topic) == ["frontends"])
        let silent = wrong { $0.dialled[0].problem = "Connection refused" }
        #expect(silent.map(\.text) == ["/a/web: 192.0.2.1:80 does not answer this node: Connection refused"])
        #expect(wrong { $0.services[0].targets = [] }.map(\.text) == ["/a/web: no unit that this node knows implements it"])
        #expect(wrong { $0.unreachable = ["/a/web"] }.map(\.text) == ["/a/web: no unit that this node knows may call it"])
    }

    @Test("PROXY protocol mismatches are counted by service, each with what to do")
    func proxyProtocol() {
        func flow(_ reason: Sallyport_Flow_V1_Reason, _ service: String) -> Sallyport_Flow_V1_Flow {
            .with {
                $0.reason = reason
                $0.service = service
            }
        }
        let found = wrong {
            $0.flows = [
                flow(.proxyHeaderUntrusted, "/a/web"), flow(.proxyHeaderMissing, "/b/x"), flow(.proxyHeaderMissing, "/a/web"),
                flow(.proxyHeaderMissing, "/a/web"), flow(.defaultReject, "/a/web"),
            ]
        }
        #expect(found.map(\.text) == [
            "/a/web: flows refused as proxy-header-missing in the last hour: 2",
            "/b/x: flows refused as proxy-header-missing in the last hour: 1",
            "/a/web: flows refused as proxy-header-untrusted in the last hour: 1",
        ])
        #expect(found.allSatisfy { !$0.failed && !$0.mend.isEmpty })
    }

    @Test("of very many findings about one topic the first are told, and how many more there are")
    func many() {
        let found = wrong { facts in facts.unreachable = (0..<50).map { "/a/s\($0)" } }
        #expect(found.count == 21 && found.last?.text == "and 30 more")
    }
}
