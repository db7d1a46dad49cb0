// What comes down from the control plane: one immutable object, replaced as a whole.

import Identity
import Linux
import Policy

/// Policy, trust and certificates as they hold together. Workers take a new one between two events.
public final class Generation: Sendable {
    public let snapshot: PolicySnapshot
    public let trust: TrustPool
    public let credentials: [UnitKey: UnitCredentials]
    /// By the service's path. A service with a public port that is not here has nothing to serve yet.
    public let publicCredentials: [String: PublicCredentials]

    public init(
        snapshot: PolicySnapshot, trust: TrustPool, credentials: [UnitKey: UnitCredentials], publicCredentials: [String: PublicCredentials] = [:]
    ) {
        self.snapshot = snapshot
        self.trust = trust
        self.credentials = credentials
        self.publicCredentials = publicCredentials
    }

    /// The same with other names of addresses.
    func with(names: [IPAddress: [String]]) -> Generation {
        Generation(snapshot: snapshot.with(names: names), trust: trust, credentials: credentials, publicCredentials: publicCredentials)
    }
}

/// The sockets of one PU for one worker, made inside its network namespace.
public struct UnitSockets: Sendable {
    /// Accepts what the PU dials; redirected there by interception.
    public let outgoing: Int32
    public let outgoingPort: UInt16
    /// Accepts what arrives for the PU.
    public let incoming: Int32
    public let incomingPort: UInt16

    public init(outgoing: Int32, outgoingPort: UInt16, incoming: Int32, incomingPort: UInt16) {
        self.outgoing = outgoing
        self.outgoingPort = outgoingPort
        self.incoming = incoming
        self.incomingPort = incomingPort
    }
}
