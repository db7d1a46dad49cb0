// The rules of a table beside steered sockets. Nothing is translated, and conntrack is not needed: what belongs to a connection finds its
// socket by itself, and what begins one is given to a listener (tproxy).

import CNetfilter
import Linux

enum SteeringRules {
    /// `meta l4proto tcp numgen inc mod N 0 tproxy to :PORT socket wildcard 1 accept`
    static func toOutgoing(_ listeners: [ListenerPair]) -> [[NetfilterExpression]] {
        inTurn(listeners.map(\.outgoingPort)) { .given(to: $0) + .accept } + [
            // A connection that only the enforcer still has is told, and ends: … socket transparent 1 socket wildcard 0 accept
            rule(.tcp, .givenToConnection, .accept),
            rule(.tcp, .givenToHalf, .drop),
            // With no listener left: meta l4proto tcp reject with tcp reset
            rule(.tcp, .reset)
        ]
    }

    /// Deals others' connections out by a hash, since the last packet of a handshake must come to the same listener as the first:
    /// only that knows that it sent a SYN cookie. `meta l4proto tcp symhash mod N 0 tproxy to :PORT socket wildcard 1 meta mark set OUTGOING accept`
    ///
    /// The mark says that it was given to a listener; nothing is routed by it.
    static func toIncoming(_ listeners: [ListenerPair], _ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        listeners.enumerated().map { index, pair in
            rule(
                .tcp, listeners.count == 1 ? [] : .hash(index, of: listeners.count), .given(to: pair.incomingPort),
                .setMark(marks.outgoing, of: marks), .accept)
        } + [
            rule(.tcp, .givenToConnection, .setMark(marks.outgoing, of: marks), .accept),
            rule(.tcp, .givenToHalf, .drop),
            // With no listener left, `input` refuses what is from outside, and this what is not: meta l4proto tcp iif "lo" reject with tcp reset
            rule(.tcp, .fromLoopback, .reset)
        ]
    }

    /// What the unit dials. Steered connections stay here, and nobody else's nat may turn them elsewhere. Frontends that were dialled and not
    /// steered, whatever the reason, are better refused than dialled as they are.
    static func leaving(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        // meta mark & MASK == STEERED oif "lo" notrack accept
        [rule(.mark(marks.steered, of: marks), .toLoopback, [.untracked], .accept)] + connectsOnly + [
            // Its route leads elsewhere, as one does that is bound to an interface: meta mark & MASK == STEERED reject with tcp reset
            rule(.mark(marks.steered, of: marks), .reset),
            // meta mark & MASK != 0 accept
            rule(.marked(marks), .accept),
        ] + loopbackAccepted + frontends(.reset)
    }

    /// What others dial.
    static func prerouting(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        [
            // Most packets end here or at the next: @th,96,32 & 0x170000 != 0x20000 iif "lo" accept
            rule(.goesOn, .fromLoopback, .accept),
            // It belongs to a connection of the enforcer's: @th,96,32 & 0x170000 != 0x20000 th dport @served socket transparent 1 accept
            rule(.goesOn, .transportPort(in: .served), [.transparentSocket, .equal([1])], .accept),
            // iif "lo" goto from_loopback
            rule(.fromLoopback, .goto(.fromLoopback)),
            // It begins one, or ends a handshake by SYN cookie: tcp dport @served fib daddr type local meta mark set 0 goto to_incoming
            // If it belongs to one of the application's, from before, no rule there matches. A mark that it comes with says nothing.
            rule(.port(in: .served), .toLocalAddress, .setMark(0, of: marks), .goto(.toIncoming)),
        ]
    }

    /// What the unit, or the enforcer for it, dials within the namespace.
    static func fromLoopback(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        [
            // meta mark & MASK == STEERED goto to_outgoing
            rule(.mark(marks.steered, of: marks), .goto(.toOutgoing)),
            // meta mark & MASK == APPLICATION accept
            rule(.mark(marks.application, of: marks), .accept),
            // The unit dials itself: meta mark & MASK == OUTGOING tcp dport @served fib daddr type local goto to_incoming
            rule(.mark(marks.outgoing, of: marks), .port(in: .served), .toLocalAddress, .goto(.toIncoming)),
            // tcp dport @published fib daddr type local goto to_incoming
            rule(.port(in: .published), .toLocalAddress, .goto(.toIncoming)),
        ]
    }

    /// What must not arrive.
    static func input(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        connectsOnly + [
            // Given to an outgoing listener: iif "lo" meta mark & MASK == STEERED accept
            rule(.fromLoopback, .mark(marks.steered, of: marks), .accept),
            // Straight to a listener: tcp dport @outgoing_listeners reject with tcp reset
            rule(.port(in: .outgoingListeners), .reset),
            rule(.port(in: .incomingListeners), .reset),
            // The enforcer to the application: tcp dport @served iif "lo" meta mark & MASK == APPLICATION accept
            rule(.port(in: .served), .fromLoopback, .mark(marks.application, of: marks), .accept),
            // The unit to itself: tcp dport @served iif "lo" meta mark & MASK == 0 accept
            rule(.port(in: .served), .fromLoopback, .mark(0, of: marks), .accept),
            // Given to an incoming listener: tcp dport @served meta mark & MASK == OUTGOING accept
            rule(.port(in: .served), .mark(marks.outgoing, of: marks), .accept),
            // What else arrives nobody took up. Better refused than let in unseen: tcp dport @served reject with tcp reset
            rule(.port(in: .served), .reset),
        ]
    }
}

extension [NetfilterExpression] {
    /// Matches when there is such a listener, and it is the one to decide.
    fileprivate static func given(to port: UInt16) -> Self { [.give(port: port), .wildcardSocket, .equal([1])] }

    /// What begins a connection, and came to a connection of the enforcer's instead, which its client has forgotten. That answers as TCP has it
    /// (RFC 9293, 3.10.7.4), its client resets it, and begins again. `@th,96,32 & 0x170000 == 0x20000 socket transparent 1 socket wildcard 0`
    fileprivate static var givenToConnection: Self { .begins + [.transparentSocket, .equal([1]), .wildcardSocket, .equal([0])] }

    /// What begins a connection, and came to half a socket. If that is one of a connection that is being made, the client has not seen the
    /// answer, which will be sent again without being asked for. If it is in TIME-WAIT and has no listener any more, the kernel would look for one at
    /// the port that was dialled: the application's. `@th,96,32 & 0x170000 == 0x20000 socket transparent 1`
    fileprivate static var givenToHalf: Self { .begins + [.transparentSocket, .equal([1])] }

    fileprivate static var drop: Self { [.drop] }

    fileprivate static func hash(_ value: Int, of count: Int) -> Self {
        [.connectionHash(modulus: UInt32(truncatingIfNeeded: count)), .equal(hostOrder(UInt32(truncatingIfNeeded: value)))]
    }
}
