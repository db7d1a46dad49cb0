// What stays within a namespace whatever its address: steered connections, and answers to connections from clients' addresses.

import CNetfilter
import Linux

/// Rules of policy routing for two marks, and the one route of their table, for both families. As `ip` shows them:
///
///     90: from all fwmark 0x2000000/0x3000000 lookup 23057
///     91: from all fwmark 0x3000000/0x3000000 lookup 23057
///     92: from all fwmark 0x3000000/0x3000000 unreachable
///     local default dev lo table 23057
///
/// They are the kernel's own by their protocol, since systemd-networkd takes away those of others (ManageForeignRoutingPolicyRules=, networkd.conf(5)).
/// Where loopback goes down its route goes, and the last rule keeps what is steered from taking another.
struct LoopbackRoutes: Equatable {
    /// What a unit answers to a connection that the enforcer made from its client's address carries the mark `application`: chain `returning`.
    var forAnswers = false
    /// What a unit dials at a frontend carries the mark `steered`: `SocketSteering`.
    var forSteered = false

    static let none = LoopbackRoutes()

    /// Before the rules that networks of containers and VPNs make (Cilium's from 100 on, Tailscale's from 5210).
    private static let answersPriority: UInt32 = 90
    private static let steeredPriority: UInt32 = 91
    private static let unsteeredPriority: UInt32 = 92
    private static let table: UInt32 = 0x5a11

    /// Makes these and removes the others; what is so already stays.
    func set(in namespace: NetworkNamespace, _ marks: ConnectionMarks) throws(InterceptionError) {
        do {
            try namespace.run { try setHere(marks) }
        } catch let error as SystemCallError where error.errno == EPERM {
            throw .missingCapability("CAP_NET_ADMIN", doing: "change routing in network namespace \(namespace.name)")
        } catch { throw InterceptionError(error) }
    }

    /// The same in the namespace of the calling thread.
    func setHere(_ marks: ConnectionMarks) throws(SystemCallError) {
        let socket = try RouteSocket()
        // The one that refuses first: until all are there, none leads elsewhere.
        let rules = [
            Rule(priority: LoopbackRoutes.unsteeredPriority, mark: marks.steered, action: FR_ACT_UNREACHABLE, isWanted: forSteered),
            Rule(priority: LoopbackRoutes.answersPriority, mark: marks.application, action: FR_ACT_TO_TBL, isWanted: forAnswers),
            Rule(priority: LoopbackRoutes.steeredPriority, mark: marks.steered, action: FR_ACT_TO_TBL, isWanted: forSteered),
        ]
        for family in [AF_INET, AF_INET6] {
            // The route first: a rule whose table has none leads on to the next rule.
            let hasRoute = forAnswers || forSteered
            try ask(socket, "RTM_NEWROUTE", route(family, hasRoute), family, hasRoute, "the route to loopback")
            for rule in rules { try ask(socket, "RTM_NEWRULE", message(rule, family, marks.mask), family, rule.isWanted, "rule \(rule.priority)") }
        }
    }

    /// For packets with a mark; ip-rule(8).
    private struct Rule {
        let priority, mark: UInt32
        /// FR_ACT_…
        let action: Int
        let isWanted: Bool
    }

    private func ask(
        _ socket: borrowing RouteSocket, _ call: String, _ message: RouteMessage, _ family: Int32, _ isWanted: Bool, _ purpose: String
    ) throws(SystemCallError) {
        let code = try socket.ask(message)
        if !isExpected(code, family, isWanted) { throw SystemCallError(call: call, errno: code, subject: purpose) }
    }

    private func isExpected(_ code: Int32, _ family: Int32, _ isWanted: Bool) -> Bool {
        switch code {
        case 0: true
        case EEXIST: isWanted
        case ENOENT, ESRCH: !isWanted
        // The kernel has no policy routing, or no IPv6, or that is switched off in this namespace: there is nothing to remove, and
        // without IPv6 nothing that comes by it.
        case EAFNOSUPPORT, EOPNOTSUPP, EACCES: !isWanted || family == AF_INET6
        default: false
        }
    }

    /// rtnetlink(7), RTM_NEWROUTE.
    private func route(_ family: Int32, _ isWanted: Bool) -> RouteMessage {
        // The table's own number does not fit the header's eight bits.
        var message = RouteMessage(
            isWanted ? RTM_NEWROUTE : RTM_DELROUTE, isNew: isWanted,
            header: [
                UInt8(family), 0, 0, 0, UInt8(RT_TABLE_UNSPEC.rawValue), UInt8(isWanted ? RTPROT_KERNEL : RTPROT_UNSPEC),
                family == AF_INET ? UInt8(RT_SCOPE_HOST.rawValue) : UInt8(RT_SCOPE_UNIVERSE.rawValue), UInt8(RTN_LOCAL), 0, 0, 0, 0,
            ])
        message.put(UInt16(RTA_TABLE.rawValue), LoopbackRoutes.table)
        message.put(UInt16(RTA_OIF.rawValue), 1)
        return message
    }

    /// struct fib_rule_hdr (linux/fib_rules.h), RTM_NEWRULE.
    private func message(_ rule: Rule, _ family: Int32, _ mask: UInt32) -> RouteMessage {
        var message = RouteMessage(
            rule.isWanted ? RTM_NEWRULE : RTM_DELRULE, isNew: rule.isWanted,
            header: [UInt8(family), 0, 0, 0, UInt8(RT_TABLE_UNSPEC.rawValue), 0, 0, UInt8(rule.action), 0, 0, 0, 0])
        message.put(UInt16(FRA_PRIORITY), rule.priority)
        message.put(UInt16(FRA_FWMARK), rule.mark)
        message.put(UInt16(FRA_FWMASK), mask)
        if rule.isWanted { message.put(UInt16(FRA_PROTOCOL), byte: UInt8(RTPROT_KERNEL)) }
        if rule.action == FR_ACT_TO_TBL { message.put(UInt16(FRA_TABLE), LoopbackRoutes.table) }
        return message
    }
}

/// Sets `lo` up in the namespace of the calling thread. In a new one it is down, and no route can lead there.
func raiseLoopback() throws(SystemCallError) {
    // struct ifinfomsg, rtnetlink(7): the first interface, IFF_UP, and that only this flag is meant.
    let message = RouteMessage(RTM_SETLINK, isNew: false, header: [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
    let code = try RouteSocket().ask(message)
    if code != 0 { throw SystemCallError(call: "RTM_SETLINK", errno: code, subject: "lo") }
}

/// One message to rtnetlink: everything in host order, attributes of four bytes.
private struct RouteMessage {
    private(set) var bytes: [UInt8] = []

    init(_ type: Int, isNew: Bool, header: [UInt8]) {
        append(UInt32(0))
        append(UInt16(truncatingIfNeeded: type))
        append(UInt16(truncatingIfNeeded: NLM_F_REQUEST | NLM_F_ACK | (isNew ? NLM_F_CREATE | NLM_F_EXCL : 0)))
        append(UInt64(0))
        bytes += header
        setLength()
    }

    mutating func put(_ attribute: UInt16, byte: UInt8) {
        append(UInt16(5))
        append(attribute)
        append(UInt32(byte))
        setLength()
    }

    mutating func put(_ attribute: UInt16, _ value: UInt32) {
        append(UInt16(8))
        append(attribute)
        append(value)
        setLength()
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    private mutating func setLength() {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: bytes.count)) { bytes.replaceSubrange(0..<4, with: $0) }
    }
}

/// rtnetlink in the namespace of the calling thread.
private struct RouteSocket: ~Copyable {
    private let socket: Descriptor

    init() throws(SystemCallError) {
        socket = Descriptor(
            owning: try syscall("socket", "NETLINK_ROUTE") {
                Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
            })
    }

    /// - Returns: 0, or the error's number that the kernel answered.
    func ask(_ message: RouteMessage) throws(SystemCallError) -> Int32 {
        try syscall("send", "NETLINK_ROUTE") { message.bytes.withUnsafeBytes { cnetfilter_send(socket.raw, $0.baseAddress, $0.count) } }
        // The kernel works within send: the answer is there already.
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try syscall("recv", "NETLINK_ROUTE") {
            buffer.withUnsafeMutableBytes { recv(socket.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
        }
        var rest = buffer[..<count]
        return NetlinkAnswer(consuming: &rest)?.errno ?? EIO
    }
}
