// What PUs see: which services, and so what must be intercepted for them.

import Linux
import SallyportProtocol

/// Shared by all PUs of a namespace for which the same dependency policies hold.
final class Sight: Sendable {
    let services: NumberSet
    /// Frontends of the services, and the addresses of the PUs that implement them.
    let frontends: Set<PlannedFrontend>
    let overlaps: [FrontendOverlap]

    init(services: NumberSet, frontends: Set<PlannedFrontend>, overlaps: [FrontendOverlap]) {
        self.services = services
        self.frontends = frontends
        self.overlaps = overlaps
    }

    /// What a `Sight` depends on besides the services themselves.
    struct Key: Hashable, Sendable {
        let namespace: Int32
        /// Serials of dependency policies, rising.
        let policies: [Int]
    }
}

/// Two services that a PU sees at one address.
struct FrontendOverlap: Sendable {
    let winner: Service
    let loser: Service
    /// The smaller of the two blocks.
    let frontend: PlannedFrontend
    /// The namespace whose PUs it concerns.
    let namespace: Int32

    /// A flood of them says no more than the first.
    static let maximum = 100
}

extension ServiceCatalog {
    /// Pairs of services in `visible` of which one hides frontends of the other.
    ///
    /// - Parameter among: Those whose frontends are looked at; they may lie within frontends of any other.
    func overlaps(_ visible: NumberSet, among: NumberSet, from namespace: Int32, _ tree: NamespaceTree) -> [FrontendOverlap] {
        var found: [FrontendOverlap] = []
        var reported: Set<[Int32]> = []
        among.forEach { number in
            guard visible.contains(number), let service = services[number] else { return }
            for frontend in frontends(of: service) {
                frontends.forEach(around: frontend.cidr, frontend.port) { block, otherNumber in
                    guard otherNumber != number, visible.contains(otherNumber), found.count < FrontendOverlap.maximum,
                        let other = services[otherNumber]
                    else { return }
                    // The longer prefix wins, and `block` is never the longer.
                    let winner = block == frontend.cidr ? nearer(service, other, namespace, tree) : service
                    let loser = winner === service ? other : service
                    guard reported.insert([winner.id, loser.id]).inserted else { return }
                    found.append(
                        FrontendOverlap(
                            winner: winner, loser: loser, frontend: PlannedFrontend(cidr: frontend.cidr, port: frontend.port),
                            namespace: namespace))
                }
            }
        }
        return found
    }
}

extension FrontendOverlap {
    /// A warning about the service that loses.
    func problem(_ tree: NamespaceTree) -> Problem {
        loser.warning(
            "spec.loadBalancer",
            "\(frontend) is a frontend of \(winner.path) and of \(loser.path); for the processing units of \(tree[namespace].path) "
                + "the first wins, give the other another address or port")
    }
}

extension Service {
    /// What is wrong with it beside others; its own faults are found before it is compiled.
    func warning(_ field: String, _ message: String) -> Problem {
        .with {
            $0.key = .with {
                $0.kind = .tcpService
                $0.namespace = namespace
                $0.name = name
            }
            $0.origin = path
            $0.field = field
            $0.message = message
            $0.severity = .warning
        }
    }
}
