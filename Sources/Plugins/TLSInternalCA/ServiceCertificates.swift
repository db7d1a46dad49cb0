// The certificates of public ports: issued, renewed before they end, issued anew when names or the issuer change.

import PKI
import PluginKit
import SallyportProtocol

/// A value without I/O; times are seconds since 1970.
struct ServiceCertificates: Sendable {
    private typealias Key = Sallyport_Policy_V1_ObjectKey

    /// After what could not be issued.
    static let retry: Int64 = 60

    private struct Issued {
        let names: Names
        let issuerID: String
        let certificate: ServerCertificate
        /// Two thirds of its life are over; nil if it ends with its issuer, and another one would too.
        let renewal: Int64?
    }

    private struct Names: Equatable {
        let hosts: [String]
        let addresses: [[UInt8]]
    }

    /// What a watcher is to know.
    private(set) var state = ServiceState<CertificatesEvent>()
    /// Whether the host has said which services there are; without, "none" would be a lie.
    private(set) var hasServices = false
    /// When there is something to do next; nil if there never is.
    private(set) var deadline: Int64?

    private var services: [Key: Names] = [:]
    private var issued: [Key: Issued] = [:]
    private var issuer: (authority: ServiceAuthority, id: String)?
    /// Why the issuer is missing or old.
    private var problem: String
    private var lifetime: Int64

    init(problem: String, lifetime: Int64) {
        self.problem = problem
        self.lifetime = lifetime
    }

    mutating func update(_ request: UpdatePublicServicesRequest) {
        hasServices = true
        let kept = Set(request.upserts.map(\.key))
        for key in request.replaceAll ? Array(services.keys.filter { !kept.contains($0) }) : request.removes {
            services[key] = nil
            issued[key] = nil
            state.remove(key)
        }
        for service in request.upserts {
            services[service.key] = Names(
                hosts: service.hosts.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }, addresses: service.addresses.map { Array($0) })
            // What the host had of a service that it names again it may have forgotten.
            state.remove(service.key)
        }
    }

    /// - Parameters:
    ///   - authority: nil keeps the one before.
    ///   - problem: What is wrong with what was read; empty if nothing is.
    mutating func use(_ authority: ServiceAuthority?, problem: String, lifetime: Int64) {
        if let authority, let id = try? authority.issuerID { issuer = (authority, id) }
        self.problem = problem
        self.lifetime = lifetime
    }

    /// Does what is due. To be called after each of the two above.
    mutating func advance(to now: Int64) {
        deadline = nil
        for (key, names) in services {
            var wrong = problem
            if let issuer, isDue(key, names, issuer.id, now) {
                do {
                    let certificate = try issuer.authority.issue(hosts: names.hosts, addresses: names.addresses, now: now, lifetime: lifetime)
                    issued[key] = Issued(
                        names: names, issuerID: issuer.id, certificate: certificate,
                        renewal: certificate.validity.notAfter < issuer.authority.validity.notAfter
                            ? now + (certificate.validity.notAfter - now) * 2 / 3 : nil)
                } catch {
                    wrong = wrong.isEmpty ? "\(error)" : wrong
                    plan(now + Self.retry)
                }
            }
            if let known = issued[key] {
                let end = known.certificate.validity.notAfter
                if end <= now, wrong.isEmpty { wrong = "the certificate has expired" }
                if let next = [known.renewal, end].compactMap({ $0 }).filter({ $0 > now }).min() { plan(next) }
            }
            let message = message(key, wrong)
            if state[key] != message { state.set(message) }
        }
    }

    private func isDue(_ key: Key, _ names: Names, _ issuerID: String, _ now: Int64) -> Bool {
        guard let issued = issued[key] else { return true }
        return issued.names != names || issued.issuerID != issuerID || issued.renewal.map { $0 <= now } ?? (issued.certificate.validity.notAfter <= now)
    }

    private mutating func plan(_ time: Int64) { deadline = min(deadline ?? time, time) }

    private func message(_ key: Key, _ problem: String) -> PublicCertificate {
        .with {
            $0.service = key
            $0.problem = problem
            guard let certificate = issued[key]?.certificate else { return }
            $0.chain = certificate.chain.map { .init($0) }
            $0.privateKey = .init(certificate.privateKey)
            $0.notAfter = certificate.validity.notAfter
        }
    }
}
