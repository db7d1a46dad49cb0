import Linux
import PluginHost
import SallyportProtocol
import Support
import TTRPC
import Testing

@Suite("States of plugins", .timeLimit(.minutes(2)))
struct PluginStateTests {
    typealias State = Sallyport_Control_V1_PluginStatus.State

    @Test("a plugin is ready once its first snapshot is complete", arguments: ["process", "host"])
    func ready(_ isolation: String) async throws {
        let fixture = try HostFixture()
        try await fixture.workshop.build("well")
        try fixture.add("well", isolation: isolation)
        await fixture.host.start()
        let status = try await fixture.wait("well", .ready)
        #expect(status.kinds == [.policySource] && status.version == "1" && status.message.isEmpty && status.isolation == isolation)
        #expect((status.pid > 0) == (isolation == "process"))
        #expect(await fixture.sink.documents.completes == 1)
        await fixture.host.stop()
    }

    @Test("a plugin that is bad gets its state and reason, and another goes on", arguments: [
        ("wrong-major", "host", State.failed, "has plugin ABI 2, this host 1"), ("wrong-major", "process", .failed, "has plugin ABI 2, this host 1"),
        ("small-table", "host", .failed, "smaller than ABI 1.0's"), ("no-entry", "process", .failed, "has no function sallyport_plugin_entry"),
        ("refuses-instance", "host", .failed, "made no instance"),
        ("crashes", "process", .backoff, "its process was ended by signal 11"), ("exits", "process", .backoff, "its process exited with status 3"),
        ("garbage", "host", .degraded, "the watch of its policy failed"), ("garbage", "process", .degraded, "Health: the answer is no"),
        ("oversized", "host", .degraded, "Health: "), ("oversized", "process", .degraded, "Health: "),
        ("answers-twice", "host", .degraded, "answered Health more than once"),
        ("floods", "process", .ready, ""),
    ])
    func bad(_ source: String, _ isolation: String, _ state: State, _ reason: String) async throws {
        let fixture = try HostFixture()
        try await fixture.workshop.build("well")
        try await fixture.workshop.build(source)
        try fixture.add("well", number: 20)
        try fixture.add(source, isolation: isolation)
        await fixture.host.start()
        let well = try await fixture.wait("well", .ready)
        try await fixture.wait(source) { $0.state == state && (reason.isEmpty ? $0.message.isEmpty : $0.message.contains(reason)) }
        #expect(await fixture.status("well") == well)
        await fixture.host.stop()
    }

    @Test("a plugin that hangs is degraded, and its process is started again after three overdue looks at its health")
    func hangs() async throws {
        let fixture = try HostFixture { $0.call = .milliseconds(500); $0.shutdown = .milliseconds(50); $0.end = .milliseconds(50) }
        try await fixture.workshop.build("hangs")
        try fixture.add("hangs")
        try fixture.write("20-inside.yaml", "version: 1\nplugin: hangs\nisolation: host")
        await fixture.host.start()
        let overdue = "Health was not answered within 500 ms"
        try await fixture.wait("hangs") { $0.state == .degraded && $0.message == overdue }
        try await fixture.wait("inside") { $0.state == .degraded && $0.message == overdue }
        try await fixture.wait("hangs") { $0.restarts > 0 }
        #expect(await fixture.status("inside")?.restarts == 0)
        await fixture.host.stop()
    }

    @Test("a plugin that is missing, not trusted or another build than the drop-in says, fails with what to do", arguments: [
        ("absent", "", "there is neither absent.so nor absent in"), ("open", "", "chmod go-w"), ("../well", "", "is no name of a plugin"),
        ("well", "sha256: \(String(repeating: "0", count: 64))", "has the SHA-256"), ("well", "user: nobody-at-all", "there is no user"),
        ("well", "kind: tls-provider", "it is no tls-provider, but policy-source"),
    ])
    func untrusted(_ plugin: String, _ rest: String, _ reason: String) async throws {
        let fixture = try HostFixture()
        chmod(try await fixture.workshop.build("well", as: "open"), 0o777)
        try await fixture.workshop.build("well")
        try fixture.write("10-x.yaml", "version: 1\nplugin: \(plugin)\n\(rest)")
        await fixture.host.start()
        let status = try await fixture.wait("x", .failed)
        #expect(status.message.contains(reason))
        await fixture.host.stop()
    }

    @Test("a plugin with the digest that its drop-in gives runs")
    func digest() async throws {
        let fixture = try HostFixture()
        let path = try await fixture.workshop.build("well")
        let digest = try await runProgram(["sha256sum", path]).prefix(64)
        try fixture.add("well", "sha256: \(digest.uppercased())")
        await fixture.host.start()
        try await fixture.wait("well", .ready)
        await fixture.host.stop()
    }

    @Test("an upgraded plugin is started by the next reload, beside or after the old one", arguments: ["process", "host"])
    func upgraded(_ isolation: String) async throws {
        let fixture = try HostFixture()
        try await fixture.workshop.build("wrong-major", as: "x")
        try fixture.write("10-x.yaml", "version: 1\nplugin: x\nisolation: \(isolation)")
        await fixture.host.start()
        try await fixture.wait("x", .failed)
        try await fixture.workshop.build("well", as: "x")
        #expect(await fixture.host.reload() == [])
        try await fixture.wait("x", .ready)
        try await fixture.workshop.build("garbage", as: "x")
        #expect(await fixture.host.reload() == [])
        try await fixture.wait("x", .degraded)
        await fixture.host.stop()
    }

    @Test("required plugins hold readiness back until they have delivered; later failures do not")
    func required() async throws {
        let fixture = try HostFixture()
        #expect(await fixture.host.requiredReady)
        try await fixture.workshop.build("well")
        try fixture.add("well", "required: true")
        try fixture.write("20-absent.yaml", "version: 1\nplugin: absent")
        await fixture.host.start()
        let pid = try await fixture.wait("well", .ready).pid
        #expect(await fixture.host.requiredReady)
        kill(pid, SIGKILL)
        try await fixture.wait("well") { $0.restarts > 0 }
        #expect(await fixture.host.requiredReady)
        try fixture.write("20-absent.yaml", "version: 1\nplugin: absent\nrequired: true")
        _ = await fixture.host.reload()
        #expect(await !fixture.host.requiredReady)
        await fixture.host.stop()
    }

    @Test("a drop-in that cannot be read holds readiness back only if it may be required")
    func brokenRequired() async throws {
        let fixture = try HostFixture()
        try fixture.write("10-x.yaml", "version: 1\nplugin")
        _ = await fixture.host.reload()
        #expect(await fixture.host.requiredReady)
        try fixture.write("10-x.yaml", "version: 1\nrequired: true\nplugin")
        _ = await fixture.host.reload()
        #expect(await !fixture.host.requiredReady)
        await fixture.host.stop()
    }

    @Test("the sink hears of every change of state")
    func changes() async throws {
        let fixture = try HostFixture()
        try fixture.add("absent")
        await fixture.host.start()
        try await fixture.wait("absent", .failed)
        try await eventually { await fixture.sink.changes > 0 }
        await fixture.host.stop()
    }
}
