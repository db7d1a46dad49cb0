// Can services be reached: somewhere to dial that answers, somebody behind, and somebody who may?

import Policy
import SallyportProtocol

extension DoctorFacts {
    var frontendChecks: [DoctorCheck] {
        var found: [DoctorCheck] = []
        for service in services {
            let isResolved = resolved.contains(service.path)
            if !service.problem.isEmpty {
                let mend = "mend loadBalancer of the service, the name server, or what its adapter asks"
                found.append(
                    check(
                        "frontends", isResolved ? .warning : .failed, "\(service.path): \(service.problem)",
                        isResolved ? mend + "; what was known last stays in force" : mend))
            } else if !isResolved && seenHere.contains(service.path) {
                found.append(
                    check("frontends", .warning, "\(service.path): has no address to dial yet", "see in `sallyport plugins` whether its adapter \(service.adapter) runs"))
            }
        }
        var answering = 0
        var undialled = undialled
        for dialled in dialled {
            let name = "\(dialled.service): \(dialled.frontend)"
            switch dialled.answer {
            case .connected: answering += 1
            case .refused(let words):
                found.append(
                    check("frontends", .failed, "\(name) does not answer this node: \(words)", "see that the load balancer listens there, and the way to it"))
            case .silent:
                // The way to it may be the units' alone, and a firewall on the node's.
                found.append(
                    check(
                        "frontends", .warning, "\(name) does not answer this node within a second",
                        "see that the load balancer listens there; if only units can reach it, try it from a unit's namespace"))
            case .unroutable: undialled += 1
            case .untried(let why):
                found.append(check("frontends", .warning, "\(name) was not dialled: \(why)", "see privileges and kernel above, and ask again"))
            }
        }
        let answers = answering == 0 ? "" : ", and \(answering == 1 ? "the one" : "all \(answering)") that \(answering == 1 ? "was dialled answers" : "were dialled answer")"
        let rest = undialled == 0 ? "" : "; \(undialled) not dialled: blocks of addresses, what this node has no way to, and what is past the first \(DialBounds.frontends)"
        return unless(found, "frontends", "are resolved" + answers + rest)
    }

    var serviceChecks: [DoctorCheck] {
        guard let reach else {
            return [check("services", .warning, "could not be looked at: no thread could be started", "raise TasksMax= of the service, or free memory")]
        }
        var found: [DoctorCheck] = []
        var unknown = 0
        for service in reach {
            let name = service.service
            switch service.outcome {
            case .reachable: break
            case .unimplemented:
                found.append(
                    check("services", .warning, "\(name): no unit that is known implements it", "compare target.selector with the units' tags: `sallyport pus`"))
            case .unseen, .refused:
                // Its public port is for clients that are no units.
                if service.isPublic { continue }
                found.append(unreached(name, service.outcome))
            case .unknown: unknown += 1
            }
        }
        let rest = unknown == 0 ? "" : "; there was no time to look who may call \(count(unknown, "other"))"
        return unless(found, "services", unknown == reach.count && unknown > 0 ? "are implemented" + rest : "are implemented, and somebody may call each" + rest)
    }

    private func unreached(_ name: String, _ outcome: ServiceReach.Outcome) -> DoctorCheck {
        if case .refused(let client) = outcome {
            return check(
                "services", .warning, "\(name): no unit that is known may call it, not \(client) either, which sees it",
                "see `sallyport explain --from \(client) --to service:\(name)` for the rule that is missing")
        }
        return check("services", .warning, "\(name): no unit that is known sees it", "write a ServiceDependencyPolicy whose object selects it, or remove the service")
    }
}
