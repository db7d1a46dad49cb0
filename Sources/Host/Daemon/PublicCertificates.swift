// What public ports serve, as it holds now: brought by plugins, the last good kept.

import DataPath
import Linux
import PluginHost
import SallyportProtocol

/// The services with a public port, by what policy says and plugins bring. A value without I/O.
package struct PublicCertificates: Sendable {
    package typealias Key = Sallyport_Policy_V1_ObjectKey

    package struct Entry: Sendable, Equatable {
        package let mode: PublicTLSMode
        /// The last that was good.
        package var credentials: PublicCredentials?
        /// What is wrong with what is there now; nil until a plugin has told of the service.
        package var problem: String?
    }

    private var entries: [Key: Entry] = [:]

    package init() {}

    package subscript(key: Key) -> Entry? { entries[key] }

    /// By the service's path, for the data path.
    package var credentials: [String: PublicCredentials] {
        var credentials: [String: PublicCredentials] = [:]
        for (key, entry) in entries {
            guard let known = entry.credentials else { continue }
            credentials[key.namespace == "/" ? "/" + key.name : "\(key.namespace)/\(key.name)"] = known
        }
        return credentials
    }

    /// What is wrong, by service.
    /// - Parameter missing: Why nothing supplies services of a mode.
    package func problems(missing: (PublicTLSMode) -> String?) -> [Key: String] {
        entries.compactMapValues { entry in
            let problem = missing(entry.mode) ?? entry.problem ?? "nothing to serve yet; see sallyport plugins"
            return problem.isEmpty ? nil : problem
        }
    }

    /// Takes new versions of services. Those that are disabled or have no public port are forgotten; what served in another
    /// mode is not what is wanted now.
    /// - Returns: What the plugins are to be told.
    package mutating func follow(
        _ services: [Sallyport_Policy_V1_Object], removed: [Key]
    ) -> (upserts: [Sallyport_Plugin_V1_PublicService], removes: [Key]) {
        var upserts: [Sallyport_Plugin_V1_PublicService] = []
        var removes = removed.filter { entries.removeValue(forKey: $0) != nil }
        for object in services {
            let service = object.tcpService
            guard service.publicPort > 0, !service.disabled else {
                if entries.removeValue(forKey: object.key) != nil { removes.append(object.key) }
                continue
            }
            if entries[object.key]?.mode != service.tls.mode { entries[object.key] = Entry(mode: service.tls.mode) }
            upserts.append(
                .with {
                    $0.key = object.key
                    $0.tls = service.tls
                    $0.hosts = service.loadBalancer.hosts
                    $0.addresses = service.loadBalancer.addresses.compactMap { text in
                        guard let cidr = CIDR(text), cidr.prefix == 128 else { return nil }
                        return .init(cidr.base.bytes)
                    }
                })
        }
        return (upserts, removes)
    }

    /// Takes what a plugin brought. What is no certificate changes the problem only.
    /// - Returns: Whether something else is to be served now.
    package mutating func take(_ event: Sallyport_Plugin_V1_CertificatesEvent, from provider: String) -> Bool {
        var isChanged = false
        for new in event.changed {
            guard var entry = entries[new.service] else { continue }
            entry.problem = new.problem.isEmpty ? "" : "\(provider): \(new.problem)"
            let credentials: PublicCredentials? =
                if new.passthrough {
                    .passthrough
                } else if new.chain.isEmpty || new.privateKey.isEmpty {
                    nil
                } else {
                    PublicCredentials(chain: new.chain.map { Array($0) }, privateKey: Array(new.privateKey), notAfter: new.notAfter)
                }
            if let credentials {
                if entry.credentials != credentials { isChanged = true }
                entry.credentials = credentials
            } else if new.problem.isEmpty {
                entry.problem = "\(provider): brought neither a certificate with its key nor what is wrong"
            }
            entries[new.service] = entry
        }
        return isChanged
    }
}
