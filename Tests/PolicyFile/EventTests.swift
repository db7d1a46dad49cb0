// The messages of a watch, through the plugin.

import Linux
import PluginKit
import PolicyFile
import SallyportProtocol
import Support
import Synchronization
import Testing

@Suite("The events of a watch", .timeLimit(.minutes(1)))
struct EventTests {
    /// What a host would hold.
    private struct Mirror {
        var objects: [Sallyport_Policy_V1_ObjectKey: Sallyport_Policy_V1_Object] = [:]
        var problems: [Sallyport_Policy_V1_Problem] = []
        var generations: [UInt64] = []
        var upserts = 0

        mutating func apply(_ event: PolicyEvent) {
            switch event.event {
            case .batch(let batch):
                for object in batch.upserts { objects[object.key] = object }
                for key in batch.removes { objects[key] = nil }
                upserts += batch.upserts.count
            case .problems(let list): problems = list.problems
            case .complete(let mark): generations.append(mark.generation)
            case .upsert, .remove, nil: break
            }
        }
    }

    private let host: PluginHostHandle
    init() throws { host = PluginHostHandle(thread: try SerialThread(name: "test"), log: { _, _ in }) }

    /// Runs a watch until `holds` at a mark.
    private func watch(_ plugin: PolicyFile, _ body: @escaping @Sendable (Int) throws -> Bool) async throws -> (upserts: Int, generations: [UInt64], summaries: [String]) {
        let mirror = Mutex(Mirror())
        let summaries = Mutex<[String]>([])
        struct Enough: Error {}
        do {
            try await plugin.watch(MessageSender<PolicyEvent> { event in
                mirror.withLock { $0.apply(event) }
                guard case .complete = event.event else { return }
                let marks = summaries.withLock { all in
                    all.append(mirror.withLock { summary($0.objects.values) })
                    return all.count
                }
                if try body(marks) { throw Enough() }
            })
        } catch is Enough {}
        return mirror.withLock { mirror in (mirror.upserts, mirror.generations, summaries.withLock { $0 }) }
    }

    @Test("a snapshot, a mark, then only what changed, with a mark and a rising generation each time")
    func deltas() async throws {
        let root = try TemporaryDirectory()
        try root.write(file(unit("a"), unit("b")), to: "x.yaml")
        let plugin = PolicyFile(host: host)
        try await plugin.configure(.init(directory: root.path), host: HostFacts())
        let seen = try await watch(plugin) { marks in
            switch marks {
            case 1: try root.replace("x.yaml", with: file(unit("a"), unit("b", tag: "v=2")))
            case 2: root.remove("x.yaml")
            default: return true
            }
            return false
        }
        #expect(seen.summaries == ["a v=1, b v=1", "a v=1, b v=2", ""])
        #expect(seen.upserts == 3)
        #expect(seen.generations == seen.generations.sorted() && Set(seen.generations).count == 3)
        #expect(await plugin.health() == .ready)
        await plugin.shutdown()
    }

    @Test("a watch opened later begins with all there is")
    func secondWatch() async throws {
        let root = try TemporaryDirectory()
        try root.write(unit("a"), to: "x.yaml")
        let plugin = PolicyFile(host: host)
        try await plugin.configure(.init(directory: root.path), host: HostFacts())
        for _ in 0..<2 { #expect(try await watch(plugin) { _ in true }.summaries == ["a v=1"]) }
        await plugin.shutdown()
    }

    @Test("without a directory the plugin is not ready, says why, and sends no mark")
    func notReady() async throws {
        let root = try TemporaryDirectory()
        let plugin = PolicyFile(host: host)
        #expect(await !plugin.health().ready)
        try await plugin.configure(.init(directory: root("policy.d")), host: HostFacts())
        struct Enough: Error {}
        await #expect(throws: Enough.self) {
            try await plugin.watch(MessageSender<PolicyEvent> { event in
                #expect(event.problems.problems.map(\.message) == ["the directory does not exist; create it, or set another one"])
                throw Enough()
            })
        }
        #expect(await plugin.health() == PluginHealth(ready: false, message: "the directory does not exist; create it, or set another one"))
        try root.makeDirectory("policy.d")
        #expect(try await watch(plugin) { _ in true }.summaries == [""])
        #expect(await plugin.health() == .ready)
        await plugin.shutdown()
    }

    @Test("a relative directory is refused")
    func relative() async {
        #expect(await PolicyFile(host: host).validate(.init(directory: "policy.d")).map(\.field) == ["directory"])
        #expect(await PolicyFile(host: host).validate(.init(directory: nil)).isEmpty)
    }

    @Test("large policies are split into messages under the limit, and only the last is a mark")
    func batches() throws {
        var state = PolicyState()
        state.isKnown = true
        for index in 0..<400 {
            var object = Sallyport_Policy_V1_Object()
            object.key = .with { $0.kind = .processingUnit; $0.namespace = "/acme"; $0.name = "\(index)" }
            object.processingUnit.tags = [String(repeating: "x", count: index == 7 ? 3 << 20 : 40_000)]
            state.objects[object.key] = object
        }
        let events = state.events(since: PolicyState(), generation: 7)
        #expect(events.count > 5)
        for event in events { #expect(try (event.serializedBytes() as [UInt8]).count < 4 << 20) }
        #expect(events.dropLast().reduce(0) { $0 + $1.batch.upserts.count } == 400)
        #expect(events.last?.complete.generation == 7)
        let removal = PolicyState().events(since: state, generation: 8)
        #expect(removal.reduce(0) { $0 + $1.batch.removes.count } == 400)
    }

    @Test("thousands of problems are told in one bounded list")
    func manyProblems() {
        var state = PolicyState()
        state.problems = (0..<5000).map { index in .with { $0.message = "\(index)" } }
        let events = state.events(since: PolicyState(), generation: 1)
        #expect(events.count == 1 && events[0].problems.problems.count == 1001)
        #expect(events[0].problems.problems.last?.message == "there are 4000 more problems; mend the first ones")
    }
}
