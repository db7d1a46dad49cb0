// What the facts come to, and what to do about it.

import FlowFormat
import Interception
import SallyportProtocol

package typealias DoctorCheck = Sallyport_Control_V1_DoctorResponse.Check

extension DoctorFacts {
    /// Most lines about one topic.
    private static let most = 20

    /// Everything that was looked at, the topics in the order in which one thing rests on another.
    package var checks: [DoctorCheck] {
        [kernelChecks, privilegeChecks, clockChecks, pluginChecks, policyChecks, certificateChecks, frontendChecks, serviceChecks, proxyChecks]
            .flatMap { checks in
                checks.count <= DoctorFacts.most
                    ? checks
                    : checks.prefix(DoctorFacts.most) + [
                        check(checks[0].topic, .warning, "and \(checks.count - DoctorFacts.most) more", "mend these first, then ask again")
                    ]
            }
    }

    private func check(_ topic: String, _ outcome: Sallyport_Control_V1_DoctorResponse.Outcome, _ text: String, _ mend: String = "") -> DoctorCheck {
        .with {
            $0.topic = topic
            $0.outcome = outcome
            $0.text = text
            $0.mend = mend
        }
    }

    /// One line that all is well, unless something is not.
    private func unless(_ found: [DoctorCheck], _ topic: String, _ text: String) -> [DoctorCheck] {
        found.isEmpty ? [check(topic, .passed, text)] : found
    }

    private var kernelChecks: [DoctorCheck] {
        let found = kernel.filter { !$0.available }.map {
            check("kernel", $0.isRequired ? .failed : .warning, "\($0.name): \($0.detail)", $0.mend)
        }
        return unless(found, "kernel", "has everything that is asked of it")
    }

    private var privilegeChecks: [DoctorCheck] {
        // linux/capability.h; docs/operations.md says what each is for.
        let wanted: [(name: String, bit: UInt64, isRequired: Bool)] = [
            ("CAP_NET_ADMIN", 12, true), ("CAP_SYS_ADMIN", 21, true), ("CAP_SYS_PTRACE", 19, false), ("CAP_SETUID", 7, false),
            ("CAP_SETGID", 6, false), ("CAP_KILL", 5, false), ("CAP_CHOWN", 0, false),
        ]
        let found = wanted.filter { capabilities & (1 << $0.bit) == 0 }.map {
            check(
                "privileges", $0.isRequired ? .failed : .warning, "\($0.name) is missing",
                "add it to CapabilityBoundingSet= of the service; docs/operations.md says what it is for")
        }
        return unless(found, "privileges", "are there")
    }

    private var clockChecks: [DoctorCheck] {
        switch clockIsSynchronised {
        case true?: [check("clock", .passed, "is synchronised")]
        case false?:
            [check("clock", .warning, "is kept right by nobody; nodes whose clocks differ by over five minutes refuse each other's certificates",
                "run chrony, systemd-timesyncd or another NTP client")]
        case nil: [check("clock", .warning, "cannot be asked whether it is synchronised: ProtectClock= of the service refuses that", "ask `timedatectl` or `chronyc tracking`")]
        }
    }

    private var pluginChecks: [DoctorCheck] {
        var found = plugins.filter { $0.state != .ready && $0.state != .disabled }.map {
            check(
                "plugins", $0.required || $0.state == .failed ? .failed : .warning, "\($0.name) is \($0.state.word): \($0.message)",
                "see \($0.dropIn) and `sallyport plugins`")
        }
        for (kind, name, consequence) in [
            (Sallyport_Plugin_V1_PluginKind.policySource, "policy source", "nothing is protected"),
            (.tlsProvider, "TLS provider", "no unit has a certificate"),
            (.loadBalancerAdapter, "load-balancer adapter", "names of services are not resolved"),
        ] where !plugins.contains(where: { $0.kinds.contains(kind) }) {
            found.append(check("plugins", .failed, "there is no \(name): \(consequence)", "put a drop-in for one into plugins.d"))
        }
        return unless(found, "plugins", "\(plugins.count) are ready")
    }

    private var policyChecks: [DoctorCheck] {
        let found = problems.map { problem in
            let place = problem.origin.isEmpty ? "\(problem.key.namespace)/\(problem.key.name)" : problem.origin
            return check(
                "policy", problem.severity == .warning ? .warning : .failed,
                "\(place): \(problem.field.isEmpty ? "" : problem.field + ": ")\(problem.message)", "mend the document; the last good version is in force until then")
        }
        return unless(found, "policy", "has no problems")
    }

    private var certificateChecks: [DoctorCheck] {
        var found: [DoctorCheck] = []
        for unit in units where unit.local {
            let name = "\(unit.namespace)/\(unit.name)"
            if !unit.problem.isEmpty {
                found.append(check("certificates", .failed, "\(name): \(unit.problem)", "its flows are refused, or pass unprotected, until then"))
            } else if unit.certificateNotAfter <= now {
                found.append(check("certificates", .failed, "\(name): its certificate has ended", "see the TLS provider in `sallyport plugins`"))
            }
        }
        for service in services where service.publicPort != 0 {
            let name = "\(service.namespace)/\(service.name)"
            let days = (service.publicCertificateNotAfter - now) / 86400
            if !service.publicProblem.isEmpty {
                found.append(check("certificates", .failed, "\(name): \(service.publicProblem)", "what was served before is served until then, if there was anything"))
            } else if service.publicCertificateNotAfter != 0 && service.publicCertificateNotAfter <= now {
                found.append(check("certificates", .failed, "\(name): what its public port serves has ended", "give it a new certificate"))
            } else if service.publicCertificateNotAfter != 0 && days < 7 {
                found.append(check("certificates", .warning, "\(name): what its public port serves ends in \(days) days", "renew it"))
            }
        }
        return unless(found, "certificates", "are in date, for every unit and public port of this node")
    }

    private var frontendChecks: [DoctorCheck] {
        let unresolved = services.filter { !$0.problem.isEmpty }.map {
            check("frontends", .failed, "\($0.namespace)/\($0.name): \($0.problem)", "mend loadBalancer.hosts, or the name server; what was resolved last stays in force")
        }
        let silent = dialled.compactMap { dialled in
            dialled.problem.map {
                check("frontends", .failed, "\(dialled.service): \(dialled.frontend) does not answer this node: \($0)", "see that the load balancer listens there, and the way to it")
            }
        }
        return unless(unresolved + silent, "frontends", dialled.isEmpty ? "are resolved" : "are resolved, and all \(dialled.count) that were dialled answer")
    }

    private var serviceChecks: [DoctorCheck] {
        let idle = services.filter(\.targets.isEmpty).map {
            check("services", .warning, "\($0.namespace)/\($0.name): no unit that this node knows implements it", "compare target.selector with the units' tags: `sallyport pus`")
        }
        let closed = unreachable.map {
            check("services", .warning, "\($0): no unit that this node knows may call it", "see `sallyport explain --from UNIT --to \($0)`")
        }
        return unless(idle + closed, "services", "are implemented, and somebody may call each")
    }

    private var proxyChecks: [DoctorCheck] {
        let mends: [(Sallyport_Flow_V1_Reason, String)] = [
            (.badProxyHeader, "see the flows' details: `sallyport flows`; let one load balancer only send a header"),
            (.proxyHeaderMissing, "let the load balancer send it (HAProxy: send-proxy-v2), or set proxyProtocol.header: optional"),
            (.proxyHeaderTimeout, "let the load balancer send it at once (HAProxy: send-proxy-v2), or disable proxyProtocol"),
            (.proxyHeaderUntrusted, "switch the preservation of client addresses off at the load balancer, or add its subnet to proxyProtocol.subnets"),
        ]
        var found: [DoctorCheck] = []
        for (reason, mend) in mends {
            let counts = Dictionary(grouping: flows.filter { $0.reason == reason }, by: \.service)
            for (service, flows) in counts.sorted(by: { $0.key < $1.key }) {
                found.append(check("proxy-protocol", .warning, "\(service): flows refused as \(reason.word) in the last hour: \(flows.count)", mend))
            }
        }
        return unless(found, "proxy-protocol", "no mismatch was seen in the last hour")
    }
}

extension Sallyport_Control_V1_PluginStatus.State {
    fileprivate var word: String {
        switch self {
        case .starting: "starting"
        case .ready: "ready"
        case .degraded: "degraded"
        case .backoff: "backing off"
        case .failed: "failed"
        case .disabled: "disabled"
        case .UNRECOGNIZED: "in an unknown state"
        }
    }
}
