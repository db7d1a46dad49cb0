// A host's side of the watch of public certificates: what is in force after all events.

import PluginKit
import SallyportProtocol
import Synchronization

package final class CertificateWatch: Sendable {
    private struct Known {
        var certificates: [String: PublicCertificate] = [:]
        var completes = 0
        var problems: [String: Set<String>] = [:]
    }

    private let known = Mutex(Known())
    private let changes = Latest<Void>()
    private let task = Mutex<Task<Void, Never>?>(nil)

    package init(_ plugin: some PublicTLSPlugin) {
        let task = Task { [known = Reference(self)] in
            // It ends by being cancelled.
            _ = try? await plugin.watchCertificates(MessageSender { event in known.value?.take(event) })
        }
        self.task.withLock { $0 = task }
    }

    deinit { task.withLock { $0?.cancel() } }

    private func take(_ event: CertificatesEvent) {
        known.withLock { known in
            for changed in event.changed {
                known.certificates[changed.service.name] = changed
                known.problems[changed.service.name, default: []].insert(changed.problem)
            }
            if event.complete { known.completes += 1 }
        }
        changes.set(())
    }

    /// How many events were the last of what there was.
    package var completes: Int { known.withLock { $0.completes } }

    /// All that was ever said to be wrong with a service.
    package func problems(of service: String) -> Set<String> { known.withLock { $0.problems[service] ?? [] } }

    package subscript(service: String) -> PublicCertificate? { known.withLock { $0.certificates[service] } }

    /// The certificate of a service as soon as it is as wanted; the time limit of the suite ends a wait in vain.
    package func certificate(of service: String, where wanted: (PublicCertificate) -> Bool = { _ in true }) async throws -> PublicCertificate {
        var version: UInt64 = 0
        while true {
            if let certificate = self[service], wanted(certificate) { return certificate }
            version = try await changes.next(after: version).version
        }
    }

    private struct Reference: Sendable {
        weak let value: CertificateWatch?
        init(_ value: CertificateWatch) { self.value = value }
    }
}

/// A service with a public port, as the host names it to a plugin.
package func publicService(
    _ name: String = "web", mode: PublicTLSMode, certificate: String = "", key: String = "", hosts: [String] = ["web.example.org"],
    addresses: [[UInt8]] = []
) -> PublicService {
    .with {
        $0.key.kind = .tcpService
        $0.key.namespace = "/acme"
        $0.key.name = name
        $0.tls.mode = mode
        $0.tls.certificate = certificate
        $0.tls.key = key
        $0.hosts = hosts
        $0.addresses = addresses.map { .init($0) }
    }
}
