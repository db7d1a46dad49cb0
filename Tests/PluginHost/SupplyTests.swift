import Linux
import PluginHost
import SallyportProtocol
import Support
import TTRPC
import Testing

@Suite("What plugins supply", .timeLimit(.minutes(2)))
struct SupplyTests {
    private func upsert(_ name: String) -> Sallyport_Plugin_V1_PolicyEvent { .with { $0.upsert.key.name = name } }
    private func complete(_ generation: UInt64) -> Sallyport_Plugin_V1_PolicyEvent { .with { $0.complete.generation = generation } }

    /// As Tests/Plugins/replays.c reads them.
    private func record(_ fixture: HostFixture, _ events: [Sallyport_Plugin_V1_PolicyEvent]) throws {
        let path = "\(fixture.workshop.directory)/events"
        let file = try Descriptor(opening: path + ".new", flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        for event in events {
            let bytes: [UInt8] = try event.serializedBytes()
            let length = withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { Array($0) }
            try syscall("write") { write(file.raw, length + bytes, 4 + bytes.count) }
        }
        rename(path + ".new", path)
    }

    private func replaying(_ events: [Sallyport_Plugin_V1_PolicyEvent], isolation: String = "process") async throws -> HostFixture {
        let fixture = try HostFixture()
        try await fixture.workshop.build("replays")
        try record(fixture, events)
        try fixture.add("replays", isolation: isolation, "config: {path: \(fixture.workshop.directory)/events}")
        await fixture.host.start()
        return fixture
    }

    @Test("after a restart the last good documents stay until the new snapshot is complete, and only then others go")
    func restart() async throws {
        let fixture = try await replaying([upsert("a"), upsert("b"), upsert("c"), complete(1)])
        let pid = try await fixture.wait("replays", .ready).pid
        #expect(await fixture.sink.documents.names == ["a", "b", "c"])
        // The next snapshot has another document and lacks one; its mark is missing at first.
        try record(fixture, [upsert("a"), upsert("d")])
        kill(pid, SIGKILL)
        try await eventually { await fixture.sink.documents.names == ["a", "b", "c", "d"] }
        #expect(try await fixture.wait("replays") { $0.restarts == 1 && $0.state == .starting }.message == "waits for its policy")
        try record(fixture, [upsert("a"), upsert("d"), complete(1)])
        kill(try #require(await fixture.status("replays")).pid, SIGKILL)
        try await eventually { await fixture.sink.documents.names == ["a", "d"] }
        #expect(await fixture.sink.documents.completes == 2)
        // What went was taken out before the mark that tells the sink to compile.
        let events = await fixture.sink.policy
        let removal = try #require(events.lastIndex { !$0.batch.removes.isEmpty })
        #expect(Set(events[removal].batch.removes.map(\.name)) == ["b", "c"])
        #expect(events[removal...].contains { $0.complete.generation == 1 })
        await fixture.host.stop()
    }

    @Test("an unchanged drop-in is left alone; a new configuration reaches the same process", arguments: ["process", "host"])
    func reload(_ isolation: String) async throws {
        let fixture = try await replaying([upsert("a"), complete(1)], isolation: isolation)
        let before = try await fixture.wait("replays", .ready)
        #expect(await fixture.host.reload() == [])
        #expect(await fixture.status("replays") == before)
        try fixture.add("replays", isolation: isolation, "config: {path: /elsewhere}")
        #expect(await fixture.host.reload() == [])
        #expect(await fixture.status("replays") == before)
        await fixture.host.stop()
    }

    @Test("a refused configuration leaves the old one in force and is shown until it is mended")
    func refused() async throws {
        let fixture = try await replaying([upsert("a"), complete(1)])
        let before = try await fixture.wait("replays", .ready)
        try fixture.add("replays", "config: {pat: x}")
        #expect(await fixture.host.reload() == ["10-replays.yaml:4:9: config.path: is required"])
        let degraded = try await fixture.wait("replays", .degraded)
        #expect(degraded.pid == before.pid)
        #expect(degraded.message == "the new configuration was refused, the one before is in force: 10-replays.yaml:4:9: config.path: is required")
        try fixture.add("replays", "config: {path: \(fixture.workshop.directory)/events}")
        #expect(await fixture.host.reload() == [])
        #expect(await fixture.status("replays") == before)
        await fixture.host.stop()
    }

    @Test("a configuration that is refused at the start fails the plugin with its place")
    func refusedAtStart() async throws {
        let fixture = try HostFixture()
        try await fixture.workshop.build("replays")
        try fixture.add("replays", "config:\n  pat: x")
        await fixture.host.start()
        #expect(
            try await fixture.wait("replays", .failed).message
                == "its configuration was refused: 10-replays.yaml:5:3: config.path: is required")
        await fixture.host.stop()
    }

    @Test("a drop-in that is broken by an edit leaves its plugin running, and the error shown")
    func brokenEdit() async throws {
        let fixture = try await replaying([upsert("a"), complete(1)])
        let before = try await fixture.wait("replays", .ready)
        try fixture.write("10-replays.yaml", "version: 1\nplugin: replays\nisolaton: process")
        #expect(await fixture.host.reload().count == 1)
        let after = try #require(await fixture.status("replays"))
        #expect(after.pid == before.pid && after.state == .ready)
        #expect(after.message.hasPrefix("its drop-in was refused, the one before is in force: 10-replays.yaml:3:1: isolaton"))
        await fixture.host.stop()
    }

    @Test("a drop-in that is removed, or disabled, takes its documents with it", arguments: [true, false])
    func removed(_ isRemoved: Bool) async throws {
        let fixture = try await replaying([upsert("a"), complete(1)])
        let pid = try await fixture.wait("replays", .ready).pid
        if isRemoved { fixture.remove("10-replays.yaml") } else { try fixture.add("replays", "disabled: true") }
        #expect(await fixture.host.reload() == [])
        #expect(await fixture.sink.documents.names.isEmpty)
        #expect(await fixture.sink.documents.completes == 2)
        #expect(await fixture.status("replays")?.state == (isRemoved ? nil : .disabled))
        #expect(kill(pid, 0) == -1)
        await fixture.host.stop()
    }

    @Test("a change of isolation starts the plugin again and keeps its documents meanwhile")
    func isolation() async throws {
        let fixture = try await replaying([upsert("a"), complete(1)])
        let pid = try await fixture.wait("replays", .ready).pid
        try fixture.add("replays", isolation: "host", "config: {path: \(fixture.workshop.directory)/events}")
        #expect(await fixture.host.reload() == [])
        try await fixture.wait("replays") { $0.state == .ready && $0.pid == 0 }
        #expect(kill(pid, 0) == -1)
        #expect(await fixture.sink.policy.allSatisfy { $0.batch.removes.isEmpty })
        await fixture.host.stop()
    }

    @Test("certificates come from the TLS provider that runs, its bundle reaches the sink", arguments: ["process", "host"])
    func certificates(_ isolation: String) async throws {
        let fixture = try HostFixture()
        await #expect(throws: RPCError.self) { try await fixture.host.issue(.init()) }
        try await fixture.workshop.build("provides")
        try fixture.add("provides", isolation: isolation)
        await fixture.host.start()
        try await fixture.wait("provides", .ready)
        #expect(try await fixture.host.issue(.init()).chain.map { Array($0) } == [Array("x".utf8)])
        #expect(await fixture.sink.bundles.map(\.generation) == [7])
        await fixture.host.stop()
    }

    @Test("an adapter is told of all services before its frontends are watched, then of changes, and of all again after a restart")
    func services() async throws {
        let fixture = try HostFixture()
        let service = Sallyport_Plugin_V1_AdaptedService.with { $0.key.name = "web" }
        await fixture.host.updateServices(adapter: "provides", upserts: [service], removes: [], replaceAll: false)
        try await eventually { await fixture.sink.frontends.count == 1 }
        #expect(await fixture.sink.frontends[0].changed[0].problem.contains("starts the load-balancer adapter \"provides\""))
        try await fixture.workshop.build("provides")
        try fixture.add("provides")
        await fixture.host.start()
        let pid = try await fixture.wait("provides", .ready).pid
        await fixture.host.updateServices(adapter: "provides", upserts: [], removes: [service.key], replaceAll: false)
        try await eventually { await fixture.sink.frontends.last?.changed.first?.frontends.first?.port == 2 }
        kill(pid, SIGKILL)
        try await fixture.wait("provides") { $0.restarts == 1 && $0.state == .ready }
        #expect(await fixture.sink.frontends.last?.changed.first?.frontends.first?.port == 1)
        await fixture.host.stop()
    }

    private func publicService(_ mode: PublicTLSMode, _ name: String = "web") -> Sallyport_Plugin_V1_PublicService {
        .with {
            $0.key.name = name
            $0.tls.mode = mode
        }
    }

    @Test("the provider of a mode is told of its services alone, and what it brings of others is dropped", arguments: ["process", "host"])
    func publicPorts(_ isolation: String) async throws {
        let fixture = try HostFixture()
        await fixture.host.updatePublicServices(upserts: [publicService(.customCertificate), publicService(.none, "raw")], removes: [], replaceAll: false)
        #expect(await fixture.host.problem(ofPublicTLSMode: .customCertificate)?.hasSuffix("starts a plugin for tls.mode CustomCertificate") == true)
        try await fixture.workshop.build("publishes")
        try fixture.add("publishes", isolation: isolation, "kind: public-tls")
        await fixture.host.start()
        try await fixture.wait("publishes", .ready)
        #expect(await fixture.host.problem(ofPublicTLSMode: .customCertificate) == nil)
        #expect(await fixture.host.problem(ofPublicTLSMode: .none) != nil)
        #expect(await fixture.sink.certificates.map { $0.changed.map(\.notAfter) } == [[1]])
        // The other mode's services are none of its business.
        await fixture.host.updatePublicServices(upserts: [publicService(.none, "other")], removes: [], replaceAll: false)
        // In another mode the service is not this plugin's any longer: it is told, and its answer is dropped.
        await fixture.host.updatePublicServices(upserts: [publicService(.none)], removes: [], replaceAll: false)
        try await eventually { await fixture.sink.certificates.count == 2 }
        #expect(await fixture.sink.certificates.last?.changed.isEmpty == true)
        await fixture.host.updatePublicServices(upserts: [publicService(.customCertificate)], removes: [], replaceAll: false)
        try await eventually { await fixture.sink.certificates.last?.changed.first?.notAfter == 3 }
        await fixture.host.stop()
    }

    @Test("of two plugins for one mode the one whose drop-in comes first has it, and the other says whose it is; in its stead it works")
    func twoForOneMode() async throws {
        let fixture = try HostFixture()
        try await fixture.workshop.build("publishes")
        try fixture.write("50-second.yaml", "version: 1\nplugin: publishes\n")
        await fixture.host.start()
        try await fixture.wait("second", .ready)
        try fixture.write("40-first.yaml", "version: 1\nplugin: publishes\n")
        #expect(await fixture.host.reload() == [])
        try await fixture.wait("first", .ready)
        let refused = "tls.mode CustomCertificate is supplied by the plugin of 40-first.yaml already: disable one of the two"
        #expect(try await fixture.wait("second", .failed).message == refused)
        // Tried again at each reload, and refused again.
        #expect(await fixture.host.reload() == [])
        #expect(try await fixture.wait("second", .failed).message == refused)
        try fixture.write("40-first.yaml", "version: 1\nplugin: publishes\ndisabled: true\n")
        #expect(await fixture.host.reload() == [])
        try await fixture.wait("second", .ready)
        await fixture.host.stop()
    }
}
