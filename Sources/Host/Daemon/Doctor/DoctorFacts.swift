// What the doctor looks at: gathered once, so that what is said of it is a function of values.

import FlowLog
import Interception
import Linux
import PluginHost
import Policy
import SallyportProtocol

package struct DoctorFacts: Sendable {
    package typealias UnitStatus = Sallyport_Control_V1_ProcessingUnitStatus
    package typealias ServiceStatus = Sallyport_Control_V1_ServiceStatus

    /// Seconds since 1970.
    package var now: Int64 = 0
    /// nil if nothing could be tried.
    package var kernel: [KernelFeature]? = []
    /// CapEff of proc(5), a bit each; nil if it cannot be read.
    package var capabilities: UInt64?
    /// The kernel's clock is kept right by somebody; adjtimex(2), STA_UNSYNC. nil if that cannot be told.
    package var clockIsSynchronised: Bool?
    package var plugins: [Sallyport_Control_V1_PluginStatus] = []
    /// What keeps the policy as a whole from being in force.
    package var conditions: [String] = []
    package var problems: [Sallyport_Policy_V1_Problem] = []
    package var units: [UnitStatus] = []
    /// Of this node's units, by path.
    package var certificates: [String: UnitCertificate] = [:]
    /// The enabled ones. Below they go by their paths.
    package var services: [ServiceStatus] = []
    /// Services whose public port serves something, be it what was good last.
    package var servedPublicly: Set<String> = []
    /// Services of which somewhere to dial is known.
    package var resolved: Set<String> = []
    /// Services that a unit of this node sees.
    package var seenHere: Set<String> = []
    package var dialled: [DialledFrontend] = []
    /// How many frontends of services that are seen here were not dialled: past the bound, or blocks of addresses.
    package var undialled = 0
    /// nil if nobody could be asked about.
    package var reach: [FoundReach]? = []
    /// Of the last hour.
    package var refusals: [ProxyRefusals.Count] = []
    /// Those whose servers an adapter tells of.
    package var balancers: [BalancedService] = []
    /// Which of these servers' addresses are units' own.
    package var unitAddresses: Set<IPAddress> = []

    package init() {}
}

/// What is behind a unit's certificate.
package struct UnitCertificate: Sendable {
    /// Seconds since 1970.
    package let notBefore: Int64
    /// Why it could not be renewed; nil if nothing is wrong.
    package let problem: String?

    package init(notBefore: Int64, problem: String?) {
        self.notBefore = notBefore
        self.problem = problem
    }
}

/// A frontend that was dialled: "10.96.0.10:9376", and how it answered.
package struct DialledFrontend: Sendable {
    package let frontend: String
    package let service: String
    package var answer: FrontendAnswer

    package init(frontend: String, service: String, answer: FrontendAnswer) {
        self.frontend = frontend
        self.service = service
        self.answer = answer
    }
}

/// Whether anybody could reach a service.
package struct FoundReach: Sendable {
    package let service: String
    package var outcome: ServiceReach.Outcome
    /// Clients that are no units may reach it too.
    package var isPublic: Bool

    package init(service: String, outcome: ServiceReach.Outcome, isPublic: Bool = false) {
        self.service = service
        self.outcome = outcome
        self.isPublic = isPublic
    }
}

/// A service whose load balancer's inside is known to an adapter.
package struct BalancedService: Sendable {
    package enum Header: Sendable {
        case absent, optional, required
    }

    package let service: String
    package let targetPort: UInt16
    /// 0 for none.
    package var publicPort: UInt16
    /// Whether the service expects PROXY headers.
    package var header: Header
    package var servers: [Sallyport_Plugin_V1_Backend]

    package init(
        service: String, targetPort: UInt16, publicPort: UInt16 = 0, header: Header = .absent, servers: [Sallyport_Plugin_V1_Backend]
    ) {
        self.service = service
        self.targetPort = targetPort
        self.publicPort = publicPort
        self.header = header
        self.servers = servers
    }
}

extension DoctorFacts.ServiceStatus {
    var path: String { objectPath(namespace, name) }
}

extension DoctorFacts.UnitStatus {
    var path: String { objectPath(namespace, name) }
}

/// "NAMESPACE/NAME".
func objectPath(_ namespace: String, _ name: String) -> String { namespace == "/" ? "/\(name)" : "\(namespace)/\(name)" }
