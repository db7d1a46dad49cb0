// The rules of a table that leads connections by nat.

import CNetfilter
import Linux

enum NatRules {
    /// What the unit dials.
    static func output(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        connectsOnly + [
            // meta mark & MASK == APPLICATION accept
            rule(.mark(marks.application, of: marks), .accept),
            // meta mark & MASK == OUTGOING fib daddr type local tcp dport @served goto to_incoming
            // The unit dials itself. Prerouting will not see it: there its connection has been through nat.
            rule(.mark(marks.outgoing, of: marks), .toLocalAddress, .port(in: .served), .goto(.toIncoming)),
            // meta mark & MASK == OUTGOING accept
            rule(.mark(marks.outgoing, of: marks), .accept),
            // fib daddr type local tcp dport @published goto to_incoming
            rule(.toLocalAddress, .port(in: .published), .goto(.toIncoming)),
        ] + loopbackAccepted + frontends(.goto(.toOutgoing))
    }

    /// What the unit dials and that was not redirected, whatever the reason: better refused than sent out as it is.
    static func leaving(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        // meta mark & MASK != 0 accept
        connectsOnly + [rule(.marked(marks), .accept)] + loopbackAccepted + frontends(.reset)
    }

    /// What others dial. Packets forwarded to containers are not for a local address.
    static var prerouting: [[NetfilterExpression]] {
        connectsOnly + [
            // fib daddr type local tcp dport @served goto to_incoming
            rule(.toLocalAddress, .port(in: .served), .goto(.toIncoming))
        ]
    }

    /// What must not arrive.
    static func input(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
        connectsOnly + [
            // Straight to a listener: tcp dport @outgoing_listeners ct status & dnat == 0 reject with tcp reset
            rule(.port(in: .outgoingListeners), .notTranslated, .reset),
            rule(.port(in: .incomingListeners), .notTranslated, .reset),
            // Translated to it by somebody else's rules, from outside: tcp dport @outgoing_listeners iif != "lo" reject with tcp reset
            rule(.port(in: .outgoingListeners), .notFromLoopback, .reset),
            // … or in a circle: tcp dport @outgoing_listeners meta mark & MASK != 0 reject with tcp reset
            rule(.port(in: .outgoingListeners), .marked(marks), .reset),
            // tcp dport @incoming_listeners meta mark & MASK == APPLICATION reject with tcp reset
            rule(.port(in: .incomingListeners), .mark(marks.application, of: marks), .reset),
            // The enforcer to the application: tcp dport @served iif "lo" meta mark & MASK == APPLICATION accept
            rule(.port(in: .served), .fromLoopback, .mark(marks.application, of: marks), .accept),
            // The unit to itself: tcp dport @served iif "lo" meta mark & MASK == 0 accept
            rule(.port(in: .served), .fromLoopback, .mark(0, of: marks), .accept),
            // What else arrives was not redirected, such as a connection that another table translated first.
            // Better refused than let in unseen: tcp dport @served reject with tcp reset
            rule(.port(in: .served), .reset),
        ]
    }

    /// Deals connections out in turn: every n-th to the first port, every (n-1)-th of the rest to the second, …, what is left to
    /// the last. `meta l4proto tcp numgen inc mod N 0 redirect to :PORT`
    static func redirects(to ports: [UInt16]) -> [[NetfilterExpression]] {
        ports.enumerated().map { index, port in
            rule(.tcp, index == ports.count - 1 ? [] : .everyTurn(of: ports.count - index), [.redirect(port: port)])
        }
    }
}

private var loopbackAccepted: [[NetfilterExpression]] {
    [
        // ip daddr 127.0.0.0/8 accept
        rule(.v4, [.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 1), .equal([127])], .accept),
        // ip6 daddr ::1 accept
        rule(.v6, [.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16), .equal(IPAddress.v6Loopback.bytes)], .accept),
    ]
}

/// `ip daddr . tcp dport @hosts4 goto to_outgoing`, and so on.
private func frontends(_ verdict: [NetfilterExpression]) -> [[NetfilterExpression]] {
    [
        rule(.v4Frontend(in: .hosts4), verdict), rule(.v4Frontend(in: .blocks4), verdict),
        rule(.v6Frontend(in: .hosts6), verdict), rule(.v6Frontend(in: .blocks6), verdict),
    ]
}

/// Leaves alone all but the packet that begins a TCP connection: `@th,96,32 & 0x170000 != 0x20000 accept` (the flags fin, syn,
/// rst and ack) and `meta l4proto != tcp accept`. When conntrack is first switched on in a namespace, connections from before look new to
/// it in the middle, and nat would redirect them.
///
/// Nearly every packet ends at the first rule, which the kernel evaluates without a call (nft_do_chain, nf_tables_core.c): some
/// 3 % of a request's cost. What it says of a packet that is not TCP does not matter, since the second accepts that too.
private var connectsOnly: [[NetfilterExpression]] {
    [
        rule(.goesOn, .accept),
        rule([.meta(NFT_META_L4PROTO), .notEqual([UInt8(IPPROTO_TCP)])], .accept),
    ]
}
