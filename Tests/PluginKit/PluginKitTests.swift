// A plugin in Swift, driven through its C table by a host made of this file.

import CSallyportPlugin
import Linux
import PluginKit
import SallyportProtocol
import Synchronization
import Testing

/// A policy source whose stream the test steers.
final class Rehearsal: PolicySourcePlugin {
    struct Configuration: Decodable, Sendable {
        struct Zone: Decodable, Sendable {
            var name: String
            var ttl: Int?
        }
        var directory: String
        var zones: [Zone]?
        var labels: [String: String]?
    }

    static let description = PluginDescription(
        name: "rehearsal", version: "1.2", summary: "for tests",
        settings: [
            PluginSetting("directory", type: "path", summary: "where the documents are", required: true),
            PluginSetting("zones", type: "list of zones", summary: "zones"),
            PluginSetting("zones[].name", type: "name", summary: "its name", required: true),
            PluginSetting("zones[].ttl", type: "number of seconds", summary: "how long it holds", defaultValue: "30"),
            PluginSetting("labels", type: "object of strings", summary: "anything"),
        ])

    private let host: PluginHostHandle
    init(host: PluginHostHandle) { self.host = host }

    func validate(_ configuration: Configuration) async -> [ConfigProblem] {
        configuration.directory.hasPrefix("/") ? [] : [ConfigProblem(field: "directory", "must be an absolute path")]
    }

    func configure(_ configuration: Configuration, host facts: HostFacts) async throws {
        host.log(.notice, "configured \(configuration.directory) for \(facts.enforcer)")
        if configuration.directory == "/refused" { throw ConfigRefused(field: "directory", "is not there") }
    }

    func watch(_ events: MessageSender<PolicyEvent>) async throws {
        for generation in 1...UInt64.max {
            var event = PolicyEvent()
            event.complete.generation = generation
            try await events.send(event)
        }
    }
}

/// Serves every service of two modes as it is named.
final class PortRehearsal: PublicTLSPlugin {
    struct Configuration: Decodable, Sendable {}

    static let description = PluginDescription(name: "port-rehearsal", version: "1", summary: "for tests")
    static let publicTLSModes: [PublicTLSMode] = [.customCertificate, .none]

    private let states = Latest<ServiceState<CertificatesEvent>>()
    private let state = Mutex(ServiceState<CertificatesEvent>())

    init(host: PluginHostHandle) {}

    func configure(_ configuration: Configuration, host facts: HostFacts) async throws {}

    func updateServices(_ request: UpdatePublicServicesRequest) async throws {
        states.set(
            state.withLock { state in
                for service in request.upserts { state.set(.with { $0.service = service.key }) }
                return state
            })
    }

    func watchCertificates(_ events: MessageSender<CertificatesEvent>) async throws { try await states.send(to: events) }
}

@Suite("A plugin in Swift behind the C interface", .timeLimit(.minutes(1)))
struct PluginKitTests {
    @Test("describe names the kinds that the type conforms to and every setting")
    func describe() async throws {
        let host = try FakeHost(Rehearsal.self)
        let answer = await host.call(SALLYPORT_SERVICE_PLUGIN, "Describe", Sallyport_Plugin_V1_DescribeRequest())
        let description = try Sallyport_Plugin_V1_DescribeResponse(serializedBytes: answer.messages[0])
        #expect(answer.code == SALLYPORT_OK)
        #expect(description.name == "rehearsal")
        #expect(description.kinds == [.policySource])
        #expect(description.settings.map(\.name) == ["directory", "zones", "zones[].name", "zones[].ttl", "labels"])
    }

    @Test("a provider of public ports describes its modes, takes services, and tells of them to each watch")
    func publicPorts() async throws {
        let host = try FakeHost(PortRehearsal.self)
        let described = await host.call(SALLYPORT_SERVICE_PLUGIN, "Describe", Sallyport_Plugin_V1_DescribeRequest())
        let description = try Sallyport_Plugin_V1_DescribeResponse(serializedBytes: described.messages[0])
        #expect(description.kinds == [.publicTls])
        #expect(description.publicTlsModes == [.customCertificate, .none])
        var request = UpdatePublicServicesRequest()
        request.upserts = [.with { $0.key.name = "web" }]
        #expect(await host.call(SALLYPORT_SERVICE_PUBLIC_TLS, "UpdateServices", request).code == SALLYPORT_OK)
        let watch = host.start(SALLYPORT_SERVICE_PUBLIC_TLS, "WatchCertificates", bytes: [])
        while host.messages(watch).isEmpty { await Task.yield() }
        let event = try CertificatesEvent(serializedBytes: host.messages(watch)[0])
        #expect(event.complete && event.changed.map(\.service.name) == ["web"])
    }

    @Test("a service's state is told as what changed; what is set anew is told again, and much of it in parts, of which only the last is complete")
    func serviceState() {
        func certificate(_ name: String, bytes: Int = 1) -> PublicCertificate {
            .with {
                $0.service.name = name
                $0.chain = [.init(repeating: 0, count: bytes)]
            }
        }
        var state = ServiceState<CertificatesEvent>()
        #expect(state.events(since: state, isFirst: true) == [.with { $0.complete = true }])
        #expect(state.events(since: state, isFirst: false) == [])
        state.set(certificate("a"))
        state.set(certificate("b"))
        let before = state
        state.set(certificate("b", bytes: 2))
        state.remove(certificate("a").service)
        #expect(state.events(since: before, isFirst: false) == [.with { $0.changed = [certificate("b", bytes: 2)] }])
        for number in 0..<5 { state.set(certificate("\(number)", bytes: 1 << 20)) }
        let events = state.events(since: ServiceState(), isFirst: true)
        #expect(events.count > 1 && events.map(\.complete) == Array(repeating: false, count: events.count - 1) + [true])
        #expect(Set(events.flatMap { $0.changed.map(\.service.name) }) == ["b", "0", "1", "2", "3", "4"])
    }

    @Test("a configuration's problems name the field", arguments: [
        (#"{"directory": "/a", "labels": {"any": "thing"}}"#, []),
        (#"{}"#, ["directory: is required: where the documents are"]),
        (#"{"directory": 7}"#, ["directory: must be: path"]),
        (#"{"directory": "a"}"#, ["directory: must be an absolute path"]),
        (#"{"directory": "/a", "dir": 1}"#, ["dir: unknown setting: the settings are directory, zones, labels"]),
        (#"{"directory": "/a", "zones": [{"name": "x"}, {"name": "y", "tll": 1}]}"#, ["zones[1].tll: unknown setting: the settings are name, ttl"]),
        (#"{"directory": "/a", "zones": [{"ttl": 1}]}"#, ["zones[0].name: is required: its name"]),
        (#"{"directory": "/a", "zones": [{"name": "x", "ttl": "soon"}]}"#, ["zones[0].ttl: must be: number of seconds"]),
        (#"{"directory": "/a", "zones": {"name": "x"}}"#, ["zones: must be: list of zones"]),
        (#"[]"#, [": must be an object of settings"]),
        (#"{"#, [": must be an object of settings"]),
    ])
    func configurations(_ json: String, _ problems: [String]) async throws {
        let host = try FakeHost(Rehearsal.self)
        var request = Sallyport_Plugin_V1_ValidateRequest()
        request.configJson = json
        let answer = await host.call(SALLYPORT_SERVICE_PLUGIN, "Validate", request)
        let response = try Sallyport_Plugin_V1_ValidateResponse(serializedBytes: answer.messages[0])
        #expect(response.problems.map { "\($0.field): \($0.message)" } == problems)
    }

    @Test("configure hands over the host's facts, and a refusal comes back as problems")
    func configure() async throws {
        let host = try FakeHost(Rehearsal.self)
        var request = Sallyport_Plugin_V1_ConfigureRequest()
        request.configJson = #"{"directory": "/refused"}"#
        request.host.enforcer = "node-1"
        let answer = await host.call(SALLYPORT_SERVICE_PLUGIN, "Configure", request)
        let response = try Sallyport_Plugin_V1_ConfigureResponse(serializedBytes: answer.messages[0])
        #expect(response.problems.map(\.message) == ["is not there"])
        #expect(host.logged == ["5 configured /refused for node-1"])
    }

    @Test("a call of what is not there says what is not there")
    func unimplemented() async throws {
        let host = try FakeHost(Rehearsal.self)
        let service = await host.call(SALLYPORT_SERVICE_TLS_PROVIDER, "WatchTrust", Sallyport_Plugin_V1_WatchTrustRequest())
        #expect(service.code == SALLYPORT_UNIMPLEMENTED)
        #expect(service.text == "service sallyport.plugin.v1.TLSProvider")
        let method = await host.call(SALLYPORT_SERVICE_PLUGIN, "Dance", Sallyport_Plugin_V1_HealthRequest())
        #expect(method.text == "method Dance of service sallyport.plugin.v1.Plugin")
    }

    @Test("a request that is no message of its type is refused")
    func garbage() async throws {
        let host = try FakeHost(Rehearsal.self)
        let answer = await host.call(SALLYPORT_SERVICE_PLUGIN, "Validate", bytes: [0xff, 0xff, 0xff])
        #expect(answer.code == SALLYPORT_INVALID_ARGUMENT)
        #expect(answer.text.contains("sallyport.plugin.v1.ValidateRequest"))
    }

    @Test("a stream waits while the host's queue is full, goes on when there is room, and ends when cancelled")
    func stream() async throws {
        let host = try FakeHost(Rehearsal.self, room: 3)
        let call = host.start(SALLYPORT_SERVICE_POLICY_SOURCE, "Watch", bytes: [])
        await host.until { $0.refused > 0 }
        #expect(host.messages(call).count == 3)
        host.makeRoom(2, for: call)
        await host.until { $0.refused > 1 }
        let generations = try host.messages(call).map { try PolicyEvent(serializedBytes: $0).complete.generation }
        #expect(generations == [1, 2, 3, 4, 5])
        host.cancel(call)
        let end = await host.end(of: call)
        #expect(end.code == SALLYPORT_CANCELLED)
    }

    @Test("a table of another major version, or a smaller one than 1.0, gets no plugin")
    func incompatible() throws {
        var table = FakeHost.table
        table.abi_major = 2
        #expect(PluginEntry.make(Rehearsal.self, &table) == nil)
        table = FakeHost.table
        table.struct_size = UInt32(SALLYPORT_HOST_SIZE_1_0) - 8
        #expect(PluginEntry.make(Rehearsal.self, &table) == nil)
        table = FakeHost.table
        table.magic = 0
        #expect(PluginEntry.make(Rehearsal.self, &table) == nil)
        #expect(PluginEntry.make(Rehearsal.self, nil) == nil)
    }
}
