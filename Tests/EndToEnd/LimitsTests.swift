// When something runs out: descriptors, connections, the disk under the flow log. What is there already goes on.

import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct LimitsTests {
    @Test("without descriptors left new flows are refused as out-of-resources, live ones go on, and so do new ones afterwards")
    func descriptors() throws {
        let nodes = try TwoNodes()
        let live = try LiveFlow(from: nodes.client, to: "10.96.0.10", port: 9376)
        let pid = try nodes.enforcer1.pid
        let open = try nodes.sallyport.check("ls", "/proc/\(pid)/fd").split(separator: "\n").count
        // Room for about ten flows.
        try nodes.sallyport.check("prlimit", "--pid", "\(pid)", "--nofile=\(open + 20):")
        let holder = try Holder(from: nodes.client, to: "10.96.0.10", port: 9376, count: 60)
        try nodes.eventually("refused") { try nodes.client.curl(TwoNodes.v4).status != 0 }
        #expect(try live.asksAgain() == 2)

        holder.end()
        try nodes.eventually("served again") { try nodes.client.curl(TwoNodes.v4).status == 0 }
        try nodes.sallyport.check("prlimit", "--pid", "\(pid)", "--nofile=\(open + 500):")
        #expect(try nodes.enforcer1.pid == pid)
        let flow = try nodes.enforcer1.flow { $0.reason == "out-of-resources" }
        #expect(flow.verdict == "refused" && flow.source.name == "client")
        #expect(flow.detail?.isEmpty == false)
        #expect(try live.asksAgain() == 3)
    }

    @Test("past limits.maxConnections new flows are refused with this reason, live ones go on, and there is room again when some end")
    func connections() throws {
        let nodes = try TwoNodes(settings: "limits: {maxConnections: 20}")
        let live = try LiveFlow(from: nodes.client, to: "10.96.0.10", port: 9376)
        let holder = try Holder(from: nodes.client, to: "10.96.0.10", port: 9376, count: 19)
        try nodes.eventually("20 live") { try nodes.enforcer1.metric("sallyport_live_flows") == 20 }
        let flow = try nodes.enforcer1.flow({ $0.verdict == "refused" }) {
            let refused = try nodes.client.curl(TwoNodes.v4)
            if refused.status == 0 { throw NetworkError(what: "a 21st flow was let through") }
        }
        #expect(flow.reason == "too-many-connections")
        #expect(flow.detail == "limits.maxConnections is 20")
        #expect(try live.asksAgain() == 2)
        holder.end()
        try nodes.eventually("served again") { try nodes.client.curl(TwoNodes.v4).status == 0 }
        #expect(try live.asksAgain() == 3)
    }

    @Test("a full disk under the flow log costs records, which are counted and told, and no flow")
    func disk() throws {
        let nodes = try TwoNodes()
        let enforcer = nodes.enforcer1
        let lost = "sallyport_flow_records_lost_total{cause=\"file\"}"
        #expect(try enforcer.metric(lost) == 0)
        try nodes.sallyport.check("mount", "-t", "tmpfs", "-o", "size=64k", "sallyport-test", enforcer.logDirectory)
        defer { _ = try? nodes.sallyport.check("umount", "--lazy", enforcer.logDirectory) }
        try enforcer.signal(SIGHUP)

        // Each on a connection of its own.
        let calls = try nodes.client.run(
            "curl", "-sS", "--max-time", "20", "-H", "Connection: close", "-o", "/dev/null", "-w", "%{http_code}\\n", "\(TwoNodes.v4)[1-200]")
        #expect(calls.output == String(repeating: "200\n", count: 200), "\(calls.errors)")
        try nodes.eventually("counted") { try enforcer.metric(lost) ?? 0 > 0 && enforcer.metric("sallyport_flow_log_writable") == 0 }
        let status = try enforcer.command("status")
        #expect(status.status == 0)
        #expect(status.output.contains("No space left on device") && status.output.contains("flow records"), "\(status)")
        #expect(enforcer.log.components("flow-log-not-written") == 1)
        // In memory they all are, each as soon as its connection has ended.
        try nodes.eventually("held in memory") { try enforcer.flows().count { $0.source.name == "client" } == 200 }
        // Whole lines only.
        let file = enforcer.logDirectory + "/flows.jsonl"
        #expect(try nodes.sallyport.check("tail", "-c", "1", file) == "\n")

        try nodes.sallyport.check("rm", file)
        try enforcer.signal(SIGHUP)
        try nodes.eventually("written again") {
            try nodes.client.curl(TwoNodes.v4).status == 0 && enforcer.metric("sallyport_flow_log_writable") == 1
        }
        #expect(enforcer.log.contains("flow-log-written-again"))
        #expect(try !enforcer.command("status").output.contains("No space left"))
    }
}

extension String {
    fileprivate func components(_ text: String) -> Int { ranges(of: text).count }
}

/// Connections that are opened and say nothing.
private final class Holder {
    private let program: NetworkProgram

    init(from place: some NetworkPlace, to host: String, port: UInt16, count: Int) throws {
        let script = "for ((i = 0; i < $3; i++)); do exec {fd}<>\"/dev/tcp/$1/$2\"; done 2>/dev/null; echo all; exec sleep 60"
        program = try place.start("bash", "-c", script, "bash", host, "\(port)", "\(count)")
        try program.wait("had connected") { program.outputSoFar == "all\n" }
    }

    func end() { program.stop() }
}
