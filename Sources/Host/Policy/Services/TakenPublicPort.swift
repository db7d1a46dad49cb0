// A public port of a service that a PU serves for another: what the service's document says is not what clients find there.

import SallyportProtocol

/// Two services of one PU of which one has the port of the other.
struct TakenPublicPort: Sendable {
    /// Its public port is not served on the PU.
    let loser: Service
    /// Has its target there, or its public port and is nearer, or comes first by name.
    let winner: Service
    let unit: UnitKey

    /// A flood of them says no more than the first.
    private static let maximum = 100

    /// A warning about each service that loses, by its path and that of the winner, with the first PU where it does.
    static func problems(_ units: [UnitPolicy]) -> [Problem] {
        var reported: Set<[Int32]> = []
        var found: [TakenPublicPort] = []
        for unit in units {
            for taken in unit.publicPortsTaken where found.count < maximum && reported.insert([taken.loser.id, taken.winner.id]).inserted {
                found.append(taken)
            }
        }
        return found.sorted { ($0.loser.path, $0.winner.path) < ($1.loser.path, $1.winner.path) }.map(\.problem)
    }

    private var problem: Problem {
        let port = loser.publicPort
        return loser.warning(
            "spec.publicPort",
            winner.targetPort == port
                ? "\(port) is the target port of \(winner.path), which \(unit) implements too; there it serves that one's peers and nobody else, give this one another public port"
                : "\(port) is the public port of \(winner.path) too, and \(unit) implements both; there it serves the other, give this one another public port")
    }
}
