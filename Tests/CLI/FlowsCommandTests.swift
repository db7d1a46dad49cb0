import FakeControl
import FlowFormat
import Foundation
import Linux
import SallyportProtocol
import Support
import Testing

/// 2026-03-01T12:01:03Z
private let noon: Int64 = 1_772_366_463_000_000_000

private func end(_ name: String) -> Sallyport_Flow_V1_Endpoint {
    .with {
        $0.type = .processingUnit
        $0.namespace = "/demo"
        $0.name = name
        $0.tags = ["app=\(name)"]
    }
}

private let accepted = Sallyport_Flow_V1_Flow.with {
    $0.traceID = "01"
    $0.startTimeNanos = noon
    $0.durationNanos = 14_000_000
    $0.side = .client
    $0.source = end("client")
    $0.destination = end("web-1")
    $0.sourceAddress = "10.1.0.2"
    $0.sourcePort = 40_000
    $0.dialledAddress = "10.96.0.10"
    $0.dialledPort = 9376
    $0.targetPort = 80
    $0.service = "/demo/web"
    $0.verdict = .accepted
    $0.decidedBy = .with {
        $0.namespace = "/demo"
        $0.ruleset = "web"
        $0.rule = "allow-web"
    }
    $0.encrypted = .enforcer
    $0.bytesSent = 1234
    $0.bytesReceived = 612
}

private let refused = Sallyport_Flow_V1_Flow.with {
    $0.traceID = "02"
    $0.startTimeNanos = noon + 1_000_000_000
    $0.side = .client
    $0.source = end("other")
    $0.dialledAddress = "10.96.0.10"
    $0.dialledPort = 9376
    $0.targetPort = 80
    $0.service = "/demo/web"
    $0.verdict = .refused
    $0.reason = .defaultReject
    $0.decidedBy = .with { $0.namespace = "/demo" }
}

private let plain = Sallyport_Flow_V1_Flow.with {
    $0.traceID = "03"
    $0.startTimeNanos = noon + 2_000_000_000
    $0.durationNanos = 200_000_000_000
    $0.source = .with {
        $0.type = .externalNetwork
        $0.namespace = "/"
        $0.name = "office"
    }
    $0.destination = end("db")
    $0.sourceAddress = "2001:db8::7"
    $0.dialledAddress = "10.1.0.9"
    $0.dialledPort = 5432
    $0.targetPort = 5432
    $0.verdict = .accepted
    $0.reason = .resetBySource
    $0.bytesSent = 5_000_000
    $0.decidedBy = .with {
        $0.namespace = "/demo"
        $0.ruleset = "db"
        $0.rule = "#0"
    }
}

struct FlowsCommandTests {
    private func fake(_ flows: [Sallyport_Flow_V1_Flow] = [accepted, refused, plain], missed: UInt64 = 0) -> FakeControl {
        FakeControl {
            $0.flows = [
                .with {
                    $0.flows = flows
                    $0.missed = missed
                }
            ]
        }
    }

    @Test("a flow is one line: when, verdict, lock, ends, service, bytes, time and rule")
    func lines() async throws {
        let outcome = try await sallyport(["flows"], asking: fake())
        #expect(outcome.status == 0)
        #expect(
            outcome.output == """
                12:01:03 ✓ 🔒 /demo/client → /demo/web-1  web:9376→80  1.2 kB/612 B  14 ms  allow-web
                12:01:04 ✗    /demo/other → /demo/web  web:9376→80  default-reject
                12:01:05 ✓    /office(2001:db8::7) → /demo/db  :5432  5 MB/0 B  3m 20s  reset-by-source db#0

                """)
    }

    @Test("wide lines have every field that a flow has")
    func wide() async throws {
        let outcome = try await sallyport(["flows", "-o", "wide"], asking: fake([accepted]))
        #expect(
            outcome.output == "2026-03-01 12:01:03.000 ✓ 🔒 /demo/client → /demo/web-1  phase=end  side=client  service=/demo/web  "
                + "source=10.1.0.2:40000  dialled=10.96.0.10:9376  target=80  protocol=tcp  rule=/demo/web#allow-web  "
                + "encrypted=enforcer  sent=1234  received=612  duration=14 ms  trace=01\n")
    }

    @Test("JSON lines are those of the log file")
    func jsonLines() async throws {
        var expected = JSONText()
        for flow in [accepted, refused, plain] { expected.line(flow) }
        let outcome = try await sallyport(["flows", "-o", "json"], asking: fake())
        #expect(outcome.output == String(decoding: expected.bytes, as: UTF8.self))
    }

    @Test(
        "filters choose by either end's name, path, address or tag, by service, verdict and reason",
        arguments: [
            (["--from", "client"], ["01"]), (["--from", "/demo/other"], ["02"]), (["--from", "app=client"], ["01"]),
            (["--from", "2001:db8::7"], ["03"]), (["--to", "web-1"], ["01"]), (["--to", "10.96.0.10"], ["01", "02"]),
            (["--service", "web"], ["01", "02"]), (["--service", "/demo/web"], ["01", "02"]), (["--service", "/other/web"], []),
            (["--verdict", "accepted"], ["01", "03"]), (["--verdict", "refused"], ["02"]), (["--reason", "default-reject"], ["02"]),
            (["--from", "client", "--verdict", "refused"], []), (["--verdict", "accepted", "-n", "1"], ["03"]),
        ] as [([String], [String])])
    func filters(_ arguments: [String], _ traces: [String]) async throws {
        let outcome = try await sallyport(["flows", "-o", "json"] + arguments, asking: fake())
        let found = try outcome.output.split(separator: "\n").map { try (json(String($0)) as? [String: Any])?["traceId"] as? String }
        #expect(found == traces)
    }

    @Test("what is asked of the daemon follows from the options")
    func requests() async throws {
        let asked = fake()
        _ = try await sallyport(["flows"], asking: asked)
        #expect(asked.lastWatch == .with { $0.noFollow = true })
        _ = try await sallyport(["flows", "--since", "2026-03-01T12:01:03Z", "-n", "5"], asking: asked)
        #expect(asked.lastWatch == .with { $0.sinceNanos = noon; $0.noFollow = true; $0.limit = 5 })
        let before = clinux_realtime()
        _ = try await sallyport(["flows", "--since", "10m", "-n", "5", "--from", "x"], asking: asked)
        let since = try #require(asked.lastWatch?.sinceNanos)
        #expect(since >= before - 600_000_000_000 && since <= clinux_realtime() - 600_000_000_000)
        // A limit of the daemon's would count flows that the filter drops.
        #expect(asked.lastWatch?.limit == 0)
    }

    @Test("lost records are told on standard error, so that JSON stays JSON")
    func missed() async throws {
        let outcome = try await sallyport(["flows", "-o", "json"], asking: fake([accepted], missed: 12))
        #expect(outcome.errors == "sallyport: 12 records were not shown: they came faster than they were read\n")
        #expect(outcome.output.split(separator: "\n").count == 1)
    }

    @Test("following shows a flow at once, and ends with the reader")
    func follow() async throws {
        let folder = try TemporaryFolder()
        let asked = fake([accepted])
        try await withControlServer(at: "\(folder.path)/s", asked) { _ in
            let first = try await onThread {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: sallyportPath)
                process.arguments = ["flows", "--follow", "--socket", "\(folder.path)/s"]
                let pipe = Pipe()
                process.standardOutput = pipe
                try process.run()
                // Nothing follows this record: what comes was not held back in a buffer.
                let line = pipe.fileHandleForReading.availableData
                process.terminate()
                process.waitUntilExit()
                return String(decoding: line, as: UTF8.self)
            }
            #expect(first.contains("/demo/client → /demo/web-1"))
            await asked.watchEnded()
        }
        #expect(asked.lastWatch?.noFollow == false)
        #expect(try #require(asked.lastWatch).sinceNanos > noon)
    }

    @Test("following with a limit ends after as many as were asked for")
    func followLimit() async throws {
        let outcome = try await sallyport(["flows", "--follow", "-n", "1", "--from", "other", "-o", "json"], asking: fake([accepted, refused, refused]))
        #expect(outcome.status == 0)
        #expect(outcome.output.split(separator: "\n").count == 1)
    }

    @Test("the map joins both ends' records, locks what is encrypted and crosses what is refused")
    func map() async throws {
        var server = accepted
        server.side = .server
        var again = accepted
        again.traceID = "04"
        var live = accepted
        live.traceID = "05"
        live.phase = .start
        live.bytesSent = 0
        live.bytesReceived = 0
        // The client's end knows only that the other end refused; the other end knows why.
        var refusedThere = accepted
        refusedThere.traceID = "06"
        refusedThere.source = end("other")
        refusedThere.verdict = .refused
        refusedThere.reason = .refusedByPeer
        var refusedHere = refusedThere
        refusedHere.side = .server
        refusedHere.reason = .rejectedByRule
        let asked = fake([accepted, server, again, live, refused, plain, refusedThere, refusedHere])
        let outcome = try await sallyport(["map"], asking: asked)
        #expect(
            outcome.output == """
                /demo/client
                  └─🔒─▶ /demo/web-1  web:9376→80  3 flows (1 live), 3.7 kB
                /demo/other
                  ├─✗──▶ /demo/web    web:9376→80  1 refused: default-reject
                  └─✗──▶ /demo/web-1  web:9376→80  1 refused: rejected-by-rule
                /office(2001:db8::7)
                  └────▶ /demo/db     :5432        1 flow, 5 MB

                """)
        let edges = try json(await sallyport(["map", "-o", "json", "--verdict", "accepted"], asking: asked).output) as? [[String: Any]]
        #expect(edges?.map { $0["encrypted"] as? Bool } == [true, false])
        #expect(edges?.map { $0["flows"] as? Int } == [3, 1])
    }
}
