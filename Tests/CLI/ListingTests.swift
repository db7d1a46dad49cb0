import FakeControl
import Foundation
import Linux
import SallyportProtocol
import TTRPC
import Testing

struct ListingTests {
    @Test("status says ready or not, by its exit status too, and what is wrong")
    func status() async throws {
        let fake = FakeControl {
            $0.status = .with {
                $0.enforcer = "node-1"
                $0.version = "0.1.0"
                $0.trustDomain = "demo.example"
                $0.started = Int64(time(nil)) - 3 * 86_400 - 4 * 3600 - 60
                $0.ready = false
                $0.conditions = ["plugin tls-internal-ca is not ready"]
                $0.policyGeneration = 12
                $0.services = 1
                $0.rulesets = 3
                $0.processingUnits = 12
                $0.localProcessingUnits = 3
                $0.liveFlows = 27
                $0.totalFlows = 1204
                $0.refusedFlows = 3
                $0.problems = [
                    .with {
                        $0.origin = "web.yaml:12:7"
                        $0.field = "spec.loadBalancer.port"
                        $0.message = "must be 1 to 65535"
                    }
                ]
            }
        }
        let text = try await sallyport(["status"], asking: fake)
        #expect(text.status == 1)
        #expect(
            text.output == """
                node-1  not ready  sallyportd 0.1.0  up 3d 4h
                trust domain  demo.example, generation 0
                policy        generation 12: 1 service, 3 rulesets, 12 processing units (3 here)
                flows         27 live, 1204 in all, 3 refused
                ! plugin tls-internal-ca is not ready
                ✗ web.yaml:12:7: spec.loadBalancer.port: must be 1 to 65535

                """)
        let object = try #require(try json(await sallyport(["status", "-o", "json"], asking: fake).output) as? [String: Any])
        #expect(object["ready"] as? Bool == false)
        #expect(object["totalFlows"] as? Int == 1204)
        #expect((object["problems"] as? [[String: Any]])?.first?["field"] as? String == "spec.loadBalancer.port")
        let ready = FakeControl { $0.status.ready = true }
        #expect(try await sallyport(["status"], asking: ready).status == 0)
    }

    @Test("the doctor's checks are a line each with what to do beneath, and the exit status says whether one failed")
    func doctor() async throws {
        typealias Check = Sallyport_Control_V1_DoctorResponse.Check
        func check(_ outcome: Sallyport_Control_V1_DoctorResponse.Outcome, _ topic: String, _ text: String, _ mend: String = "") -> Check {
            .with {
                $0.outcome = outcome
                $0.topic = topic
                $0.text = text
                $0.mend = mend
            }
        }
        let well = FakeControl { $0.checks = [check(.passed, "kernel", "has it all"), check(.warning, "clock", "is wrong", "run chrony")] }
        let text = try await sallyport(["doctor"], asking: well)
        #expect(text.status == 0)
        #expect(text.output == "✓ kernel: has it all\n⚠ clock: is wrong\n    run chrony\n")
        let ill = FakeControl { $0.checks = [check(.failed, "plugins", "policy-file is failed: gone", "see sallyport plugins")] }
        let failed = try await sallyport(["doctor", "-o", "json"], asking: ill)
        #expect(failed.status == 1)
        let checks = try #require(try json(failed.output) as? [[String: Any]])
        #expect(checks.first?["outcome"] as? String == "failed" && checks.first?["mend"] as? String == "see sallyport plugins")
    }

    @Test("plugins are one line each, without the columns that nobody has")
    func plugins() async throws {
        let fake = FakeControl {
            $0.plugins = [
                .with {
                    $0.name = "policy-file"
                    $0.kinds = [.policySource]
                    $0.state = .ready
                    $0.isolation = "process"
                    $0.pid = 4711
                    $0.version = "1.0"
                    $0.dropIn = "10-policy-file.yaml"
                },
                .with {
                    $0.name = "x"
                    $0.kinds = [.tlsProvider, .loadBalancerAdapter]
                    $0.state = .backoff
                    $0.isolation = "host"
                    $0.message = "exited with status 1"
                    $0.dropIn = "20-x.yaml"
                },
            ]
        }
        let text = try await sallyport(["plugins"], asking: fake)
        #expect(text.status == 0)
        #expect(
            text.output == """
                NAME         KIND                                STATE    RUNS      PID  VERSION  DROP-IN              MESSAGE
                policy-file  policy-source                       ready    process  4711  1.0      10-policy-file.yaml
                x            tls-provider,load-balancer-adapter  backoff  host                    20-x.yaml            exited with status 1

                """)
        let rows = try json(await sallyport(["plugins", "-o", "json"], asking: fake).output) as? [[String: Any]]
        #expect(rows?.map { $0["state"] as? String } == ["ready", "backoff"])
        #expect(rows?.last?["required"] as? Bool == false)
    }

    @Test("a public port is listed with what it serves, until when, and what is wrong with that")
    func publicPorts() async throws {
        let fake = FakeControl {
            $0.services = [
                .with {
                    $0.namespace = "/demo"
                    $0.name = "web"
                    $0.targetPort = 80
                    $0.publicPort = 8003
                    $0.publicTlsMode = "InternalCA"
                    $0.publicCertificateNotAfter = 1_803_859_200
                },
                .with {
                    $0.namespace = "/demo"
                    $0.name = "shop"
                    $0.targetPort = 81
                    $0.publicPort = 8004
                    $0.publicTlsMode = "CustomCertificate"
                    $0.publicProblem = "tls-custom-certificate: tls.key is encrypted"
                },
            ]
        }
        #expect(
            try await sallyport(["services"], asking: fake).output == """
                SERVICE     TARGET  PUBLIC                            PROBLEM
                /demo/web       80  8003 InternalCA until 2027-03-01
                /demo/shop      81  8004 CustomCertificate            tls-custom-certificate: tls.key is encrypted

                """)
        let services = try json(await sallyport(["services", "-o", "json"], asking: fake).output) as? [[String: Any]]
        #expect(services?.map { $0["publicTLSMode"] as? String } == ["InternalCA", "CustomCertificate"])
        #expect(services?.map { ($0["publicCertificateNotAfter"] as? String)?.prefix(10) } == ["2027-03-01", ""])
        #expect(services?.last?["publicProblem"] as? String == "tls-custom-certificate: tls.key is encrypted")
    }

    @Test("the servers behind a load balancer are counted by their state, and listed in JSON")
    func servers() async throws {
        typealias Server = Sallyport_Plugin_V1_Backend
        func server(_ number: UInt8, _ state: Server.State, _ header: Server.ProxyProtocol) -> Server {
            .with {
                $0.name = "pool/\(number)"
                if number != 5 { $0.address = .init([10, 1, 0, number]) }
                $0.port = 8080
                $0.state = state
                $0.proxyProtocol = header
                $0.detail = "UP 1/2"
            }
        }
        let servers = [
            server(1, .up, .v2), server(2, .down, .none), server(3, .up, .unknown), server(4, .outOfService, .v1), server(5, .unknown, .unknown),
        ]
        let fake = FakeControl {
            $0.services = [
                .with {
                    $0.namespace = "/demo"
                    $0.name = "web"
                    $0.targetPort = 80
                    $0.adapter = "haproxy"
                    $0.backends = servers
                },
                .with {
                    $0.namespace = "/demo"
                    $0.name = "plain"
                    $0.targetPort = 81
                    $0.adapter = "static"
                },
            ]
        }
        #expect(
            try await sallyport(["services"], asking: fake).output == """
                SERVICE      TARGET  ADAPTER  SERVERS
                /demo/web        80  haproxy  1 unknown, 2 up, 1 down, 1 out of service
                /demo/plain      81  static

                """)
        let rows = try json(await sallyport(["services", "-o", "json"], asking: fake).output) as? [[String: Any]]
        let listed = try #require(rows?.first?["servers"] as? [[String: String]])
        #expect(listed.first == ["name": "pool/1", "address": "10.1.0.1:8080", "state": "up", "proxyProtocol": "v2", "detail": "UP 1/2"])
        #expect(listed.compactMap { $0["state"] } == ["up", "down", "up", "out of service", "unknown"])
        #expect(listed.compactMap { $0["proxyProtocol"] } == ["v2", "none", "unknown", "v1", "unknown"])
        #expect(listed.last?["address"] == "")
        #expect((rows?.last?["servers"] as? [Any])?.isEmpty == true)
    }

    @Test("services and processing units are listed, in text and as JSON arrays")
    func servicesAndUnits() async throws {
        let fake = FakeControl {
            $0.services = [
                .with {
                    $0.namespace = "/demo"
                    $0.name = "web"
                    $0.frontends = ["10.96.0.10:9376", "[fd00::a]:9376"]
                    $0.targetPort = 80
                    $0.targets = ["/demo/web-1"]
                    $0.adapter = "static"
                }
            ]
            $0.units = [
                .with {
                    $0.namespace = "/demo"
                    $0.name = "client"
                    $0.type = .container
                    $0.local = true
                    $0.intercepted = true
                    $0.redirection = .nat
                    $0.certificateNotAfter = Int64(time(nil)) + 7230
                    $0.tags = ["$name=client", "@org:team=a", "app=client"]
                },
                .with {
                    $0.namespace = "/"
                    $0.name = "far"
                    $0.type = .host
                },
            ]
        }
        #expect(
            try await sallyport(["services"], asking: fake).output == """
                SERVICE    FRONTENDS                       TARGET  TARGETS      ADAPTER
                /demo/web  10.96.0.10:9376 [fd00::a]:9376      80  /demo/web-1  static

                """)
        let units = try await sallyport(["pus"], asking: fake).output
        #expect(
            units == """
                PROCESSING UNIT  TYPE       STATE      REDIRECTION  CERTIFICATE  FLOWS  TAGS
                /demo/client     Container  protected  nat          2h 0m            0  app=client
                /far             Host       elsewhere

                """)
        #expect(try await sallyport(["pus", "--local"], asking: fake).output.contains("/far") == false)
        let services = try json(await sallyport(["services", "-o", "json"], asking: fake).output) as? [[String: Any]]
        #expect(services?.first?["frontends"] as? [String] == ["10.96.0.10:9376", "[fd00::a]:9376"])
        let rows = try json(await sallyport(["pus", "-o", "json"], asking: fake).output) as? [[String: Any]]
        #expect(rows?.map { $0["local"] as? Bool } == [true, false])
        #expect(rows?.map { $0["redirection"] as? String } == ["nat", ""])
        #expect(rows?.last?["certificateNotAfter"] as? String == "")
    }

    @Test("an empty listing is an empty table and an empty array")
    func empty() async throws {
        for command in ["plugins", "services", "pus", "map"] {
            let text = try await sallyport([command], asking: FakeControl())
            #expect(text.status == 0)
            #expect(text.output.split(separator: "\n").count <= 1)
            #expect(try await sallyport([command, "-o", "json"], asking: FakeControl()).output == "[]\n")
        }
        #expect(try await sallyport(["flows", "-o", "json"], asking: FakeControl()).output == "")
    }

    @Test("explain prints each step, and its exit status is the verdict")
    func explain() async throws {
        let fake = FakeControl {
            $0.explanation = .with {
                $0.steps = [
                    .with { $0.stage = "visibility"; $0.ok = true; $0.text = "/demo/client sees /demo/web" },
                    .with { $0.stage = "incoming"; $0.ok = false; $0.text = "no rule matches" },
                ]
                $0.verdict = .refused
                $0.summary = "the default of /demo rejects it"
            }
        }
        let text = try await sallyport(["explain", "--from", "client", "--to", "web"], asking: fake)
        #expect(text.status == 1)
        #expect(
            text.output == """
                visibility  ✓  /demo/client sees /demo/web
                incoming    ✗  no rule matches
                ✗ refused  the default of /demo rejects it

                """)
        let accepted = FakeControl {
            $0.explanation.verdict = .accepted
            $0.explanation.encrypted = .enforcer
        }
        let answer = try await sallyport(["explain", "--from", "client", "--to", "web"], asking: accepted)
        #expect(answer.status == 0)
        #expect(answer.output == "✓ accepted 🔒\n")
        let object = try json(await sallyport(["explain", "--from", "a", "--to", "b", "-o", "json"], asking: fake).output) as? [String: Any]
        #expect(object?["verdict"] as? String == "refused")
    }

    @Test("names cannot steer the terminal")
    func steering() async throws {
        let fake = FakeControl {
            $0.services = [.with { $0.name = "\u{1b}[2Jweb\u{202e}"; $0.problem = "a\nb" }]
            $0.failure = nil
        }
        let output = try await sallyport(["services"], asking: fake).output
        #expect(output.contains("\\u{1b}[2Jweb\\u{202e}"))
        #expect(output.split(separator: "\n").count == 2)
    }

    @Test("steering commands send what they were told")
    func steeringCommands() async throws {
        let fake = FakeControl { $0.liveFlows = 7 }
        #expect(try await sallyport(["drain", "--timeout", "2m"], asking: fake).output == "7 live flows\n")
        #expect(fake.lastDrain?.timeout == 120)
        #expect(try await sallyport(["log-level", "debug"], asking: fake).status == 0)
        #expect(fake.lastLogLevel == "debug")
        #expect(try await sallyport(["log-level", "loud"], asking: fake).status == 64)
        #expect(try await sallyport(["reload"], asking: fake).status == 0)
        let bad = try await sallyport(["reload"], asking: FakeControl { $0.reloadProblems = ["10-x.yaml:3:1: unknown key"] })
        #expect(bad.status == 1)
        #expect(bad.errors == "sallyport: 10-x.yaml:3:1: unknown key\n")
        #expect(try await sallyport(["metrics"], asking: FakeControl { $0.metrics = "m 1\n" }).output == "m 1\n")
    }
}
