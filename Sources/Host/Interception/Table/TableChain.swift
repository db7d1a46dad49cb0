// The chains of the table. Their rules are in NatRules.swift and SteeringRules.swift, and what both have in common here. The comments
// show each rule as `nft list table inet sallyport` does.

import CNetfilter
import Linux

/// The chains of the table.
enum TableChain: String, CaseIterable {
    // Those that others go to come first: a rule can only name a chain that is there.
    case toOutgoing = "to_outgoing"
    case toIncoming = "to_incoming"
    case fromLoopback = "from_loopback"
    case apart, returning, output, leaving, prerouting, input

    /// Those that a table has.
    static func all(_ redirection: Redirection, deliversAsClient: Bool) -> [TableChain] {
        allCases.filter {
            switch $0 {
            case .returning: deliversAsClient
            // Each would switch conntrack on.
            case .apart: redirection == .nat || deliversAsClient
            case .output: redirection == .nat
            case .fromLoopback: redirection == .steering
            default: true
            }
        }
    }

    /// How the chain hooks into the path of packets; nil for one that is only gone to.
    func hook(_ kind: Interceptor.Kind, _ redirection: Redirection) -> (type: String, hook: nf_inet_hooks, priority: Int32)? {
        // -300 is raw, before conntrack (-200). -100 is dstnat, where kube-proxy and Docker translate.
        switch self {
        case .toOutgoing, .toIncoming, .fromLoopback: nil
        case .apart: ("filter", NF_INET_LOCAL_OUT, -300)
        // Behind conntrack, whose zone tells. The type "route" looks the route up again for a mark that has changed.
        case .returning: ("route", NF_INET_LOCAL_OUT, -150)
        // Before the others: the enforcer dials the frontend again, and they translate that.
        case .output: ("nat", NF_INET_LOCAL_OUT, -110)
        case .leaving: ("filter", NF_INET_LOCAL_OUT, redirection == .nat ? 0 : -300)
        // nat's first translation of a connection is its last. What a container does with its ports is its own affair, so we come first. On a
        // host we come second: what is translated away from it, to a container, was never the host's.
        case .prerouting: (redirection == .nat ? "nat" : "filter", NF_INET_PRE_ROUTING, kind == .container ? -110 : -90)
        case .input: ("filter", NF_INET_LOCAL_IN, 0)
        }
    }

    func rules(_ table: SallyportTable, _ redirection: Redirection) -> [[NetfilterExpression]] {
        let marks = table.marks
        return switch (self, redirection) {
        case (.apart, _): apartRules(marks)
        case (.returning, _): returningRules(marks)
        case (.toOutgoing, .nat): NatRules.redirects(to: table.listeners.map(\.outgoingPort))
        case (.toIncoming, .nat): NatRules.redirects(to: table.listeners.map(\.incomingPort))
        case (.output, _): NatRules.output(marks)
        case (.leaving, .nat): NatRules.leaving(marks)
        case (.prerouting, .nat): NatRules.prerouting
        case (.input, .nat): NatRules.input(marks)
        case (.toOutgoing, .steering): SteeringRules.toOutgoing(table.listeners)
        case (.toIncoming, .steering): SteeringRules.toIncoming(table.listeners, marks)
        case (.fromLoopback, _): SteeringRules.fromLoopback(marks)
        case (.leaving, .steering): SteeringRules.leaving(marks)
        case (.prerouting, .steering): SteeringRules.prerouting(marks)
        case (.input, .steering): SteeringRules.input(marks)
        }
    }
}

/// Conntrack keeps a connection for some time after its end, 10 s after a reset, and what then comes from the same port to the same
/// place is taken for a part of it: not translated, and so not redirected. What the enforcer dials comes from where the
/// unit dials, too. So its connections are looked up by themselves: in a zone of their own, as far as they go out.
private func apartRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
    [
        // Steered, perhaps before nat took over: meta mark & MASK == STEERED oif "lo" notrack accept
        rule(.mark(marks.steered, of: marks), .toLoopback, [.untracked], .accept),
        // meta mark & MASK != 0 ct original zone set 0x5a11
        rule(.marked(marks), [.connectionZone(ownZone)]),
    ]
}

private let ownZone: UInt16 = 0x5a11

/// What the unit answers to a connection that the enforcer made from its client's address. That is an address of elsewhere, and the
/// answer would leave; with the mark it stays (LoopbackRoutes).
private func returningRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
    [
        // ct original zone 0x5a11 ct direction reply meta mark set meta mark & ~MASK | APPLICATION
        rule(
            [.connection(NFT_CT_ZONE, direction: IP_CT_DIR_ORIGINAL), .equal(withUnsafeBytes(of: ownZone) { Array($0) })],
            [.connection(NFT_CT_DIRECTION), .equal([UInt8(IP_CT_DIR_REPLY.rawValue)])],
            .setMark(marks.application, of: marks))
    ]
}

var loopbackAccepted: [[NetfilterExpression]] {
    [
        // ip daddr 127.0.0.0/8 accept
        rule(.v4, [.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 1), .equal([127])], .accept),
        // ip6 daddr ::1 accept
        rule(.v6, [.payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16), .equal(IPAddress.v6Loopback.bytes)], .accept),
    ]
}

/// `ip daddr . tcp dport @hosts4 goto to_outgoing`, and so on.
func frontends(_ verdict: [NetfilterExpression]) -> [[NetfilterExpression]] {
    [
        rule(.v4Frontend(in: .hosts4), verdict), rule(.v4Frontend(in: .blocks4), verdict),
        rule(.v6Frontend(in: .hosts6), verdict), rule(.v6Frontend(in: .blocks6), verdict),
    ]
}

/// Deals connections out in turn: every n-th to the first port, every (n-1)-th of the rest to the second, …, what is left to
/// the last.
func inTurn(_ ports: [UInt16], _ lead: (UInt16) -> [NetfilterExpression]) -> [[NetfilterExpression]] {
    ports.enumerated().map { index, port in
        rule(.tcp, index == ports.count - 1 ? [] : .everyTurn(of: ports.count - index), lead(port))
    }
}

/// Leaves alone all but the packet that begins a TCP connection: `@th,96,32 & 0x170000 != 0x20000 accept` (the flags fin, syn,
/// rst and ack) and `meta l4proto != tcp accept`. When conntrack is first switched on in a namespace, connections from before look new to
/// it in the middle, and nat would redirect them.
///
/// Nearly every packet ends at the first rule, which the kernel evaluates without a call (nft_do_chain, nf_tables_core.c): some
/// 3 % of a request's cost. What it says of a packet that is not TCP does not matter, since the second accepts that too.
var connectsOnly: [[NetfilterExpression]] {
    [
        rule(.goesOn, .accept),
        rule([.meta(NFT_META_L4PROTO), .notEqual([UInt8(IPPROTO_TCP)])], .accept),
    ]
}

func rule(_ pieces: [NetfilterExpression]...) -> [NetfilterExpression] { pieces.flatMap { $0 } }

/// Pieces of rules.
extension [NetfilterExpression] {
    static var tcp: Self { [.meta(NFT_META_L4PROTO), .equal([UInt8(IPPROTO_TCP)])] }
    /// It does not begin a TCP connection, or is not TCP.
    static var goesOn: Self { flags + [.notEqual([0, 0x02, 0, 0])] }
    static var begins: Self { flags + [.equal([0, 0x02, 0, 0])] }
    /// The flags fin, syn, rst and ack. The four bytes around them are loaded, since the kernel masks nothing else without a call.
    private static var flags: Self { [.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 12, length: 4), .mask([0, 0x17, 0, 0])] }
    static var v4: Self { [.meta(NFT_META_NFPROTO), .equal([UInt8(NFPROTO_IPV4)])] }
    static var v6: Self { [.meta(NFT_META_NFPROTO), .equal([UInt8(NFPROTO_IPV6)])] }
    static var toLocalAddress: Self { [.destinationType, .equal(hostOrder(UInt32(RTN_LOCAL)))] }
    /// Loopback is interface 1 of every namespace (LOOPBACK_IFINDEX, include/net/flow.h).
    static var fromLoopback: Self { [.meta(NFT_META_IIF), .equal(hostOrder(1))] }
    static var notFromLoopback: Self { [.meta(NFT_META_IIF), .notEqual(hostOrder(1))] }
    static var toLoopback: Self { [.meta(NFT_META_OIF), .equal(hostOrder(1))] }
    static var notTranslated: Self {
        [.connection(NFT_CT_STATUS), .mask(hostOrder(IPS_DST_NAT.rawValue)), .equal(hostOrder(0))]
    }

    static func port(in set: TableSet) -> Self { .tcp + .transportPort(in: set) }
    /// Also UDP's, for a check less.
    static func transportPort(in set: TableSet) -> Self {
        [.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2), .isIn(set.rawValue)]
    }

    static func mark(_ mark: UInt32, of marks: ConnectionMarks) -> Self {
        [.meta(NFT_META_MARK), .mask(hostOrder(marks.mask)), .equal(hostOrder(mark))]
    }
    static func marked(_ marks: ConnectionMarks) -> Self {
        [.meta(NFT_META_MARK), .mask(hostOrder(marks.mask)), .notEqual(hostOrder(0))]
    }


    static func setMark(_ mark: UInt32, of marks: ConnectionMarks) -> Self {
        [.meta(NFT_META_MARK), .mask(hostOrder(~marks.mask), flip: hostOrder(mark)), .setMark]
    }

    static func v4Frontend(in set: TableSet) -> Self {
        .v4 + .tcp + [
            .payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 16, length: 4),
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, word: 1), .isIn(set.rawValue),
        ]
    }
    static func v6Frontend(in set: TableSet) -> Self {
        .v6 + .tcp + [
            .payload(NFT_PAYLOAD_NETWORK_HEADER, offset: 24, length: 16),
            .payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2, word: 4), .isIn(set.rawValue),
        ]
    }

    static func everyTurn(of count: Int) -> Self {
        [.turn(of: UInt32(truncatingIfNeeded: count)), .equal(hostOrder(0))]
    }
    static func goto(_ chain: TableChain) -> Self { [.goto(chain: chain.rawValue)] }
    static var accept: Self { [.accept] }
    static var reset: Self { [.reset] }
}

/// A number as registers hold what the kernel itself loads.
func hostOrder(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number) { Array($0) } }
