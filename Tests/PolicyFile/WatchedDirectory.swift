// A directory under watch: what came of it, waited for by condition.

import Linux
import PluginKit
import PolicyFile
import SallyportProtocol
import Support
import Synchronization

final class WatchedDirectory: Sendable {
    let root: TemporaryDirectory
    /// What the watcher is told; below `root`.
    let path: String
    private let states = Latest<PolicyState>()
    private let watcher: PolicyWatcher
    private let seen = Mutex<[PolicyState]>([])
    private let version = Mutex<UInt64>(0)

    /// - Parameter prepare: Makes what is there when the watch begins.
    init(_ name: String = "policy.d", prepare: (TemporaryDirectory) throws -> Void = { try $0.makeDirectory("policy.d") }) throws {
        root = try TemporaryDirectory()
        path = root(name)
        try prepare(root)
        watcher = try PolicyWatcher(directory: path, states: states, log: { _, _ in })
    }

    deinit { watcher.stop() }

    func use(_ name: String) { watcher.use(directory: root(name)) }

    /// Every state published up to now that a slow reader would still have met.
    var history: [PolicyState] { seen.withLock { $0 } }

    /// Waits for a state in which these documents are in force, and as many problems.
    @discardableResult
    func until(_ documents: String, problems: Int = 0) async throws -> PolicyState {
        try await until { summary($0.objects.values) == documents && $0.problems.count == problems }
    }

    @discardableResult
    func until(_ holds: (PolicyState) -> Bool) async throws -> PolicyState {
        while true {
            let next = try await states.next(after: version.withLock { $0 })
            version.withLock { $0 = next.version }
            seen.withLock { $0.append(next.value) }
            if holds(next.value) { return next.value }
        }
    }
}
