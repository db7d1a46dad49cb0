// What the control API tells of the enforcer's state.

import Identity
import Interception
import Linux
import PluginHost
import Policy
import SallyportProtocol

extension Enforcer {
    /// Everything but the data path's counts.
    func status() async -> Sallyport_Control_V1_StatusResponse {
        let (ready, texts) = await conditions()
        let problems = await problems()
        return .with {
            $0.enforcer = configuration.enforcer
            $0.version = sallyportVersion
            $0.trustDomain = trust?.trustDomain ?? configuration.trustDomain
            $0.started = started
            $0.ready = ready
            $0.conditions = texts
            $0.policyGeneration = snapshot.generation
            $0.trustGeneration = trust?.generation ?? 0
            $0.workers = UInt32(dataPath.workers)
            $0.problems = problems
            $0.services = UInt32(clamping: snapshot.counts.services)
            $0.rulesets = UInt32(clamping: snapshot.counts.rulesets)
            $0.processingUnits = UInt32(clamping: snapshot.counts.units)
            $0.localProcessingUnits = UInt32(clamping: snapshot.counts.localUnits)
        }
    }

    /// What is wrong now, wherever it was found.
    func problems() async -> [Sallyport_Policy_V1_Problem] {
        let ports = await publicProblems().map { key, message in
            Sallyport_Policy_V1_Problem.with {
                $0.key = key
                $0.field = "spec.tls"
                $0.message = message
                // It serves what it had before.
                $0.severity = publicCertificates[key]?.credentials == nil ? .error : .warning
            }
        }
        let networks = frontendProblems.filter { $0.key.kind == .externalNetwork }.map { key, message in
            Sallyport_Policy_V1_Problem.with {
                $0.key = key
                $0.field = "spec.entries"
                $0.message = message
                $0.severity = .warning
            }
        }
        return sourceProblems.sorted { $0.key < $1.key }.flatMap(\.value) + refusedProblems.values.sorted { $0.origin < $1.origin } + snapshot.problems
            + (ports + networks).sorted { ($0.key.namespace, $0.key.name) < ($1.key.namespace, $1.key.name) }
    }

    /// What is wrong with what public ports serve.
    private func publicProblems() async -> [Sallyport_Policy_V1_ObjectKey: String] {
        var missing: [PublicTLSMode: String] = [:]
        for mode in PublicTLSMode.allCases { missing[mode] = await plugins?.problem(ofPublicTLSMode: mode) }
        return publicCertificates.problems { missing[$0] }
    }

    func services() async -> [Sallyport_Control_V1_ServiceStatus] {
        let publicProblems = await publicProblems()
        return snapshot.listServices().map { service in
            var service = service
            let key = Sallyport_Policy_V1_ObjectKey.with {
                $0.kind = .tcpService
                $0.namespace = service.namespace
                $0.name = service.name
            }
            if let problem = frontendProblems[key] { service.problem = problem }
            service.backends = backends[key] ?? []
            if let entry = publicCertificates[key] {
                service.publicTlsMode = entry.mode.shown
                service.publicCertificateNotAfter = entry.credentials?.notAfter ?? 0
                service.publicProblem = publicProblems[key] ?? ""
            }
            return service
        }
    }

    func processingUnits() -> [Sallyport_Control_V1_ProcessingUnitStatus] {
        snapshot.listUnits().map { unit in
            var unit = unit
            let key = UnitKey(namespace: unit.namespace, name: unit.name)
            guard unit.local else { return unit }
            unit.intercepted = units.isIntercepted(key)
            unit.redirection = units.redirection(of: key)?.shown ?? .unspecified
            unit.problem = units.problem(of: key) ?? ""
            if let credentials = credentials[key] {
                unit.spiffeID = credentials.spiffeID
                unit.certificateNotAfter = credentials.notAfter
            } else if unit.problem.isEmpty {
                unit.problem = "no certificate yet; see sallyport plugins"
            }
            return unit
        }
    }
}

extension Redirection {
    fileprivate var shown: Sallyport_Control_V1_ProcessingUnitStatus.Redirection {
        switch self {
        case .steering: .steering
        case .nat: .nat
        }
    }
}
