// What the enforcer's own state says for `sallyport doctor`.

import Identity
import Linux
import Policy
import SallyportProtocol

extension Enforcer {
    /// The enforcer now, and the policy that goes with it. What must be asked of the system is left out.
    func facts() async -> (DoctorFacts, PolicySnapshot) {
        var facts = DoctorFacts()
        facts.plugins = await plugins?.status() ?? []
        facts.problems = await problems()
        let listed = await services()
        var renewals: [UnitKey: String] = [:]
        for unit in snapshot.units { renewals[unit.key] = await store?.status(of: .init(unit.key))?.problem }
        // Awaiting is over: what follows is of one moment.
        facts.conditions = policyConditions
        let enabled = Dictionary(snapshot.services.map { ($0.path, $0) }) { first, _ in first }
        facts.services = listed.filter { enabled[$0.path] != nil }
        // Told once, as what public ports serve.
        let publicProblems = Dictionary(facts.services.map { ($0.path, $0.publicProblem) }) { first, _ in first }
        facts.problems.removeAll { $0.field == "spec.tls" && publicProblems[$0.key.path] == $0.message }
        facts.units = processingUnits()
        for unit in snapshot.units {
            guard let credentials = credentials[unit.key] else { continue }
            facts.certificates[objectPath(unit.key.namespace, unit.key.name)] = UnitCertificate(
                notBefore: credentials.notBefore, problem: renewals[unit.key])
        }
        facts.resolved = Set(snapshot.servicesWithFrontends)
        for service in facts.services where publicCertificates[service.key]?.credentials != nil { facts.servedPublicly.insert(service.path) }
        facts.balancers = facts.services.compactMap { listed in
            guard let service = enabled[listed.path], !listed.backends.isEmpty else { return nil }
            return BalancedService(
                service: service.path, targetPort: service.targetPort, publicPort: service.publicPort,
                header: service.proxyProtocol.map { $0.isRequired ? .required : .optional } ?? .absent, servers: listed.backends)
        }
        facts.unitAddresses = snapshot.addressesOfUnits(
            among: Set(facts.balancers.flatMap(\.servers).compactMap { IPAddress(bytes: $0.address) }))
        return (facts, snapshot)
    }
}

extension Sallyport_Policy_V1_ObjectKey {
    fileprivate var path: String { objectPath(namespace, name) }
}

extension Sallyport_Control_V1_ServiceStatus {
    fileprivate var key: Sallyport_Policy_V1_ObjectKey {
        .with {
            $0.kind = .tcpService
            $0.namespace = namespace
            $0.name = name
        }
    }
}
