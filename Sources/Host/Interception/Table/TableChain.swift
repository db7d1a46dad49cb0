// The chains of the table, and what their rules are made of. Those that lead by nat are in NatRules.swift. The comments show each rule as
// `nft list table inet sallyport` does.

import CNetfilter
import Linux

/// The chains of the table.
enum TableChain: String, CaseIterable {
    // Those that others go to come first: a rule can only name a chain that is there.
    case toOutgoing = "to_outgoing"
    case toIncoming = "to_incoming"
    case untracked, apart, returning, output, leaving, prerouting, input

    /// Those of a table that leads by nat.
    static func ofNat(deliversAsClient: Bool) -> [TableChain] { allCases.filter { $0 != .untracked && ($0 != .returning || deliversAsClient) } }

    /// How the chain hooks into the path of packets; nil for one that is only gone to.
    func hook(_ kind: Interceptor.Kind) -> (type: String, hook: nf_inet_hooks, priority: Int32)? {
        // -300 is raw, before conntrack (-200). -100 is dstnat, where kube-proxy and Docker translate.
        switch self {
        case .toOutgoing, .toIncoming: nil
        case .untracked, .apart: ("filter", NF_INET_LOCAL_OUT, -300)
        // Behind conntrack, whose zone tells. The type "route" looks the route up again for a mark that has changed.
        case .returning: ("route", NF_INET_LOCAL_OUT, -150)
        // Before the others: the enforcer dials the frontend again, and they translate that.
        case .output: ("nat", NF_INET_LOCAL_OUT, -110)
        case .leaving: ("filter", NF_INET_LOCAL_OUT, 0)
        // The first translation of a connection is its last. What a container does with its ports is its own affair, so we come first. On a
        // host we come second: what is translated away from it, to a container, was never the host's.
        case .prerouting: ("nat", NF_INET_PRE_ROUTING, kind == .container ? -110 : -90)
        case .input: ("filter", NF_INET_LOCAL_IN, 0)
        }
    }

    func rules(_ table: SallyportTable) -> [[NetfilterExpression]] {
        let marks = table.marks
        return switch self {
        case .untracked: [steeredAlone(marks)]
        case .apart: apartRules(marks)
        case .returning: returningRules(marks)
        case .toOutgoing: NatRules.redirects(to: table.listeners.map(\.outgoingPort))
        case .toIncoming: NatRules.redirects(to: table.listeners.map(\.incomingPort))
        case .output: NatRules.output(marks)
        case .leaving: NatRules.leaving(marks)
        case .prerouting: NatRules.prerouting
        case .input: NatRules.input(marks)
        }
    }
}

/// What is steered nobody else's nat may turn elsewhere: `meta mark & MASK == STEERED oif "lo" notrack accept`
private func steeredAlone(_ marks: ConnectionMarks) -> [NetfilterExpression] { rule(.mark(marks.steered, of: marks), .toLoopback, [.untracked], .accept) }

/// Conntrack keeps a connection for some time after its end, 10 s after a reset, and what then comes from the same port to the same
/// place is taken for a part of it: not translated, and so not redirected. What the enforcer dials comes from where the
/// unit dials, too. So its connections are looked up by themselves: in a zone of their own, as far as they go out.
private func apartRules(_ marks: ConnectionMarks) -> [[NetfilterExpression]] {
    [
        // From before nat took over.
        steeredAlone(marks),
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

func rule(_ pieces: [NetfilterExpression]...) -> [NetfilterExpression] { pieces.flatMap { $0 } }

/// Pieces of rules.
extension [NetfilterExpression] {
    static var tcp: Self { [.meta(NFT_META_L4PROTO), .equal([UInt8(IPPROTO_TCP)])] }
    /// It does not begin a TCP connection, or is not TCP. The four bytes around the flags fin, syn, rst and ack are loaded, since the kernel masks
    /// nothing else without a call.
    static var goesOn: Self { [.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 12, length: 4), .mask([0, 0x17, 0, 0]), .notEqual([0, 0x02, 0, 0])] }
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

    static func port(in set: TableSet) -> Self {
        .tcp + [.payload(NFT_PAYLOAD_TRANSPORT_HEADER, offset: 2, length: 2), .isIn(set.rawValue)]
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
