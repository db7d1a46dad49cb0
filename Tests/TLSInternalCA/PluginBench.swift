// The plugin with a CA to read and a clock to set, without a host.

import Linux
import PKI
import PluginKit
import PluginSupport
import Support
import Synchronization
import TLSInternalCA

final class PluginBench: Sendable {
    let folder: TemporaryFolder
    let ca: CertificateAuthority
    let plugin: InternalCA
    let clock = ManualClock(TestAuthority.now)
    let log = Lines()
    private let thread: SerialThread

    init() throws {
        folder = try TemporaryFolder()
        ca = try .create(at: folder.path + "/ca", trustDomain: "test.example", now: clock.now)
        thread = try SerialThread(name: "test-plugin")
        let clock = clock, log = log
        plugin = InternalCA(host: PluginHostHandle(thread: thread) { _, text in log.add(text) }, clock: clock.clock)
    }

    deinit { thread.stop() }

    /// The folder of an enforcer, made now.
    func enforcer(_ name: String, namespaces: [String] = ["/"], lifetime: Int64 = EnforcerAuthority.lifetime) throws -> String {
        try CertificateAuthority(at: ca.directory).issueEnforcer(
            name, namespaces: namespaces.map { try NamespacePath($0) }, now: clock.now, lifetime: lifetime)
    }

    func configure(_ directory: String, enforcer: String? = nil, lifetime: String? = nil, serviceLifetime: String? = nil, trustDomain: String = "") async throws {
        var facts = HostFacts()
        facts.enforcer = "node"
        facts.trustDomain = trustDomain
        try await plugin.configure(
            InternalCAConfiguration(directory: directory, enforcer: enforcer, lifetime: lifetime, serviceLifetime: serviceLifetime), host: facts)
    }

    func request(_ namespace: String = "/", _ name: String = "web", tags: [String] = []) throws -> IssueRequest {
        var request = IssueRequest()
        request.namespace = namespace
        request.name = name
        request.tags = tags + ["$name=\(name)", "$namespace=\(namespace)", "$identity=processingunit"]
        request.publicKey = .init(try TestAuthority.publicKey())
        return request
    }

    /// The trust bundles that the plugin sends, as they come.
    func trust() -> AsyncStream<TrustBundle> {
        let (stream, continuation) = AsyncStream.makeStream(of: TrustBundle.self)
        let plugin = plugin
        let task = Task {
            try? await plugin.watchTrust(MessageSender { continuation.yield($0) })
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    /// Waits until the plugin's health is as wanted; the time limit of the test ends a wait in vain.
    func health(until wanted: (PluginHealth) -> Bool) async -> PluginHealth {
        while true {
            let health = await plugin.health()
            if wanted(health) || Task.isCancelled { return health }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}

final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ text: String) { lines.withLock { $0.append(text) } }
    var all: [String] { lines.withLock { $0 } }
}
