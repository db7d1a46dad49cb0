// The chains of the table and their rules. The comments show each rule as `nft list table inet sallyport` does.

import CNetfilter
import Linux

/// The chains of the table.
enum TableChain: String, CaseIterable {
    // Those that others go to come first: a rule can only name a chain that is there.
    case toOutgoing = "to_outgoing"
    case toIncoming = "to_incoming"
    case apart, returning, output, leaving, prerouting, input

    /// Where the chain hooks into the path of packets; nil for one that is only gone to.
    func hook(_ kind: Interceptor.Kind) -> (type: String, hook: nf_inet_hooks, priority: Int32)? {
        // -100 is dstnat, where kube-proxy and Docker translate. nat's first translation of a connection is its last.
        switch self {
        case .toOutgoing, .toIncoming: nil
        // Before conntrack (-200), as raw's chains are.
        case .apart: ("filter", NF_INET_LOCAL_OUT, -300)
        // Behind conntrack, whose zone tells. The type "route" looks the route up again for a mark that has changed.
        case .returning: ("route", NF_INET_LOCAL_OUT, -150)
        // Before them: the enforcer dials the frontend again, and they translate that.
        case .output: ("nat", NF_INET_LOCAL_OUT, -110)
        case .leaving: ("filter", NF_INET_LOCAL_OUT, 0)
        // What a container does with its ports is its own affair, so we come first. On a host we come second: what is translated
        // away from it, to a container, was never the host's.
        case .prerouting: ("nat", NF_INET_PRE_ROUTING, kind == .container ? -110 : -90)
        case .input: ("filter", NF_INET_LOCAL_IN, 0)
        }
    }

    func rules(_ marks: ConnectionMarks, _ listeners: [ListenerPair]) -> [[NetfilterExpression]] {
        switch self {
        case .toOutgoing: redirects(to: listeners.map(\.outgoingPort))
        case .toIncoming: redirects(to: listeners.map(\.incomingPort))
        case .apart: apartRules(marks)
        case .returning: returningRules(marks)
        case .output: outputRules(marks)
        case .leaving: leavingRules(marks)
        case .prerouting: preroutingRules
        case .input: inputRules(marks)
        }
    }
}

/// Conntrack keeps a connection for some time after its end, 10 s after a reset, and what then comes from the same port to the same
/// place is taken for a part of it: not translated, and so not redirected. What the enforcer dials comes from where the
/// unit dials, too. So its connections are looked up by themselves: in a zone of their own, as far as they go out.
private func apartRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
    [
        // meta mark & MASK != 0 ct original zone set 0x5a11
        rule(.marked(marks), [.connectionZone(ownZone)])
    ]
}

private let ownZone: UInt16 = 0x5a11

/// What the unit answers to a connection that the enforcer made from its client's address. That is an address of elsewhere, and the
/// answer would leave; with the mark it stays (ReturnRoute).
private func returningRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
    [
        // ct original zone 0x5a11 ct direction reply meta mark set meta mark & ~MASK | APPLICATION
        rule(
            [.connection(NFT_CT_ZONE, direction: IP_CT_DIR_ORIGINAL), .equal(withUnsafeBytes(of: ownZone) { Array($0) })],
            [.connection(NFT_CT_DIRECTION), .equal([UInt8(IP_CT_DIR_REPLY.rawValue)])],
            [.meta(NFT_META_MARK), .mask(hostOrder(~marks.mask), flip: hostOrder(marks.application)), .setMark])
    ]
}

/// What the unit dials.
private func outputRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
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
private func leavingRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
    // meta mark & MASK != 0 accept
    connectsOnly + [rule(.marked(marks), .accept)] + loopbackAccepted + frontends(.reset)
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

/// What others dial. Packets forwarded to containers are not for a local address.
private var preroutingRules: [[NetfilterExpression]] {
    connectsOnly + [
        // fib daddr type local tcp dport @served goto to_incoming
        rule(.toLocalAddress, .port(in: .served), .goto(.toIncoming))
    ]
}

/// What must not arrive.
private func inputRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
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
private func redirects(to ports: [UInt16]) -> [[NetfilterExpression]] {
    ports.enumerated().map { index, port in
        rule(.tcp, index == ports.count - 1 ? [] : .everyTurn(of: ports.count - index), [.redirect(port: port)])
    }
}

/// Leaves alone all but the packet that begins a TCP connection: `@th,104,8 & 0x17 != 0x02 accept` (the flags fin, syn, rst and
/// ack) and `meta l4proto != tcp accept`. When conntrack is first switched on in a namespace, connections from before look new to
/// it in the middle, and nat would redirect them.
///
/// Nearly every packet ends at the first rule, which the kernel evaluates without a call (nft_do_chain, nf_tables_core.c): some
/// 3 % of a request's cost. What it says of a packet that is not TCP does not matter, since the second accepts that too.
private var connectsOnly: [[NetfilterExpression]] {
    [
        rule([.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 13, length: 1), .mask([0x17]), .notEqual([0x02])], .accept),
        rule([.meta(NFT_META_L4PROTO), .notEqual([UInt8(IPPROTO_TCP)])], .accept),
    ]
}

private func rule(_ pieces: [NetfilterExpression]...) -> [NetfilterExpression] { pieces.flatMap { $0 } }

/// Pieces of rules.
extension [NetfilterExpression] {
    fileprivate static var tcp: Self { [.meta(NFT_META_L4PROTO), .equal([UInt8(IPPROTO_TCP)])] }
    fileprivate static var v4: Self { [.meta(NFT_META_NFPROTO), .equal([UInt8(NFPROTO_IPV4)])] }
    fileprivate static var v6: Self { [.meta(NFT_META_NFPROTO), .equal([UInt8(NFPROTO_IPV6)])] }
    fileprivate static var toLocalAddress: Self { [.destinationType, .equal(hostOrder(UInt32(RTN_LOCAL)))] }
    /// Loopback is interface 1 of every namespace (LOOPBACK_IFINDEX, include/net/flow.h).
    fileprivate static var fromLoopback: Self { [.meta(NFT_META_IIF), .equal(hostOrder(1))] }
    fileprivate static var notFromLoopback: Self { [.meta(NFT_META_IIF), .notEqual(hostOrder(1))] }
    fileprivate static var notTranslated: Self {
        [.connection(NFT_CT_STATUS), .mask(hostOrder(IPS_DST_NAT.rawValue)), .equal(hostOrder(0))]
    }

    fileprivate static func port(in set: TableSet) -> Self {
        .tcp + [.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2), .isIn(set.rawValue)]
    }

    fileprivate static func mark(_ mark: UInt32, of marks: ConnectionMarks) -> Self {
        [.meta(NFT_META_MARK), .mask(hostOrder(marks.mask)), .equal(hostOrder(mark))]
    }
    fileprivate static func marked(_ marks: ConnectionMarks) -> Self {
        [.meta(NFT_META_MARK), .mask(hostOrder(marks.mask)), .notEqual(hostOrder(0))]
    }

    fileprivate static func v4Frontend(in set: TableSet) -> Self {
        .v4 + .tcp + [
            .payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 4),
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, word: 1), .isIn(set.rawValue),
        ]
    }
    fileprivate static func v6Frontend(in set: TableSet) -> Self {
        .v6 + .tcp + [
            .payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16),
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, word: 4), .isIn(set.rawValue),
        ]
    }

    fileprivate static func everyTurn(of count: Int) -> Self {
        [.turn(of: UInt32(truncatingIfNeeded: count)), .equal(hostOrder(0))]
    }
    fileprivate static func goto(_ chain: TableChain) -> Self { [.goto(chain: chain.rawValue)] }
    fileprivate static var accept: Self { [.accept] }
    fileprivate static var reset: Self { [.reset] }
}

/// A number as registers hold what the kernel itself loads.
private func hostOrder(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number) { Array($0) } }
