// A host's side of the watch of frontends: what each service has after all events.

import PluginKit
import SallyportProtocol
import Support
import Synchronization

final class FrontendsWatch: Sendable {
    private let known = Mutex<[String: Sallyport_Plugin_V1_Frontends]>([:])
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ plugin: some LoadBalancerAdapterPlugin) {
        let task = Task { [weak self] in
            // It ends by being cancelled.
            _ = try? await plugin.watchFrontends(MessageSender { [weak self] event in
                for changed in event.changed { self?.known.withLock { $0[changed.service.name] = changed } }
            })
        }
        self.task.withLock { $0 = task }
    }

    deinit { task.withLock { $0?.cancel() } }

    subscript(service: String) -> Sallyport_Plugin_V1_Frontends { known.withLock { $0[service] ?? .init() } }

    /// What the service has as soon as it is as wanted. `turn` lets time pass; HAProxy's own checks take theirs.
    func frontends(
        of service: String, _ what: String, turn: () throws -> Void = {}, where wanted: (Sallyport_Plugin_V1_Frontends) -> Bool
    ) async throws -> Sallyport_Plugin_V1_Frontends {
        for _ in 0..<2000 {
            let found = self[service]
            if wanted(found) { return found }
            try turn()
            try await Task.sleep(for: .milliseconds(10))
        }
        throw NetworkError(what: "never \(what): \(self[service])")
    }
}
