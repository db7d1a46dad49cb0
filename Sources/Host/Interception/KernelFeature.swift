// What the kernel must be able to do, found out by trying.

import CNetfilter
import Linux

/// Something that the enforcer uses of the kernel, and whether it is there.
public struct KernelFeature: Sendable, Equatable {
    public let name: String
    public let available: Bool
    /// Without it no unit can be protected; without the others, only what `detail` says is missing.
    public let isRequired: Bool
    /// What was seen.
    public let detail: String
    /// What to do where it is missing, or empty.
    public let mend: String

    package init(name: String, available: Bool, isRequired: Bool, detail: String, mend: String) {
        self.name = name
        self.available = available
        self.isRequired = isRequired
        self.detail = detail
        self.mend = mend
    }
}

/// Tries everything that the enforcer asks of the kernel, in a network namespace made for this and gone afterwards.
public func probeKernel() -> [KernelFeature] {
    do {
        return try onThreadOfItsOwn {
            do throws(SystemCallError) {
                try syscall("unshare") { clinux_unshare(Int32(CLINUX_CLONE_NEWNET)) }
            } catch {
                return [entering(error)]
            }
            // The others would only say the same again.
            let nftables = nftablesItself.tried()
            return [entering(nil), nftables] + (nftables.available ? probes.map { $0.tried() } : []) + otherFeatures()
        }
    } catch {
        return [KernelFeature(name: "probing", available: false, isRequired: true, detail: "\(error)", mend: "free memory and threads, then try again")]
    }
}

private func entering(_ error: SystemCallError?) -> KernelFeature {
    let mend = switch error?.errno {
    case nil: ""
    case EPERM: "give the service CAP_SYS_ADMIN, and no RestrictNamespaces= that excludes net"
    default: "use a kernel with CONFIG_NET_NS, and raise user.max_net_namespaces if it is 0"
    }
    return KernelFeature(
        name: "network namespaces", available: error == nil, isRequired: true,
        detail: error.map { "\($0)" } ?? "made and entered", mend: mend)
}

/// A transaction that works only with the feature.
private struct Probe: Sendable {
    let name: String
    var isRequired = true
    let mend: String
    let build: @Sendable (inout NetfilterBatch) -> Void

    func tried() -> KernelFeature {
        do throws(InterceptionError) {
            try attempt()
            return KernelFeature(name: name, available: true, isRequired: isRequired, detail: "works", mend: "")
        } catch {
            let mend = if case .missingCapability(let capability, _) = error { "give the service \(capability)" } else { mend }
            return KernelFeature(name: name, available: false, isRequired: isRequired, detail: "\(error)", mend: mend)
        }
    }

    func attempt() throws(InterceptionError) {
        try NetfilterSocket(namespace: "of the probe").commit(NetfilterBatch { batch in
            batch.removeTable()
            build(&batch)
        })
    }

    init(_ name: String, isRequired: Bool = true, mend: String, build: @escaping @Sendable (inout NetfilterBatch) -> Void) {
        self.name = name
        self.isRequired = isRequired
        self.mend = mend
        self.build = build
    }

    /// Of one expression, in a chain of that name.
    init(_ name: String, isRequired: Bool = true, mend: String, in chain: TableChain, _ expressions: NetfilterExpression...) {
        self.init(name, isRequired: isRequired, mend: mend) { batch in
            batch.table(NFT_MSG_NEWTABLE)
            batch.chain(chain, .container)
            batch.rule(1, of: chain, [.meta(NFT_META_L4PROTO), .equal([UInt8(IPPROTO_TCP)])] + expressions)
        }
    }
}

private let nftablesItself = Probe("nftables", mend: "use a kernel with CONFIG_NF_TABLES_INET, or load module nf_tables") {
    $0.table(NFT_MSG_NEWTABLE)
}

private let probes = [
    Probe("nftables nat redirect", mend: "load module nft_redir (CONFIG_NFT_REDIR)", in: .output, .redirect(port: 1)),
    Probe("nftables fib", mend: "load module nft_fib_inet (CONFIG_NFT_FIB_INET)", in: .prerouting, .destinationType),
    Probe("nftables conntrack", mend: "load module nft_ct (CONFIG_NFT_CT)", in: .input, .connection(NFT_CT_STATUS)),
    Probe(
        "nftables conntrack zones", mend: "use a kernel with CONFIG_NF_CONNTRACK_ZONES", in: .apart, .connectionZone(1)),
    Probe(
        "nftables rerouting", isRequired: false,
        mend: "use Linux 5.2 or later with nf_tables' chain type route, or no target.sourceAddress: client", in: .returning,
        .connection(NFT_CT_ZONE, direction: IP_CT_DIR_ORIGINAL)),
    Probe("nftables reject", mend: "load module nft_reject_inet (CONFIG_NFT_REJECT_INET)", in: .input, .reset),
    Probe("nftables numgen", mend: "load module nft_numgen (CONFIG_NFT_NUMGEN)", in: .output, .turn(of: 2)),
    Probe("nftables interval sets of concatenations", mend: "use Linux 5.6 or later") { batch in
        batch.table(NFT_MSG_NEWTABLE)
        batch.set(.blocks4, id: 1)
        batch.set(.blocks6, id: 2)
        batch.elements(
            NFT_MSG_NEWSETELEM, .blocks4,
            [TableElement(InterceptedFrontend(cidr: CIDR(IPAddress(v4: 0x0a00_0000), prefix: 104), port: 80))])
    },
    Probe("nftables tables with an owner", isRequired: false, mend: "use Linux 5.12 or later, or keep failureMode Closed") {
        $0.table(NFT_MSG_NEWTABLE, flags: NFT_TABLE_F_OWNER.rawValue)
    },
    Probe(
        "nftables cgroup v2 match", isRequired: false,
        mend: "use Linux 5.13 or later with CONFIG_NFT_SOCKET, or protect whole network namespaces only", in: .input, .cgroup(level: 1)),
]

/// What is not of nftables alone.
private func otherFeatures() -> [KernelFeature] {
    [
        feature("packet marks", mend: "give the service CAP_NET_ADMIN") { () throws(SystemCallError) in
            let socket = try makeSocket(AF_INET)
            try syscall("SO_MARK") {
                withUnsafePointer(to: ConnectionMarks.standard.outgoing) {
                    setsockopt(socket.raw, SOL_SOCKET, SO_MARK, $0, socklen_t(MemoryLayout<UInt32>.size))
                }
            }
        },
        feature("IPv6", isRequired: false, mend: "start the kernel without ipv6.disable=1 if clients use IPv6") { () throws(SystemCallError) in
            _ = try makeSocket(AF_INET6)
        },
        feature(
            "policy routing", isRequired: false, mend: "use a kernel with CONFIG_IP_MULTIPLE_TABLES, or no target.sourceAddress: client"
        ) { () throws(SystemCallError) in
            try raiseLoopback()
            try LoopbackRoutes(forAnswers: true).setHere(.standard)
        },
        // What takes the place of nat where it can be had.
        feature("socket steering", isRequired: false, mend: "nat leads connections instead, for some 10 % more CPU") { () throws(InterceptionError) in
            try SteeringPins.checkFileSystem()
            _ = try SocketSteering.ifPossible(pins: nil)
        },
        queues(),
    ]
}

/// First-packet verdicts: nftables' own expression, else iptables' NFQUEUE, which needs the same queue behind it.
private func queues() -> KernelFeature {
    let behind = access("/proc/net/netfilter/nfnetlink_queue", F_OK) == 0
    var found = behind ? "iptables-nft NFQUEUE: the kernel has no nftables queue expression" : nil
    if (try? Probe("queue", mend: "", in: .input, .queue(0)).attempt()) != nil { found = "nftables queue" }
    return KernelFeature(
        name: "first-packet verdicts", available: found != nil, isRequired: false, detail: found ?? "no netfilter queue",
        mend: found == nil ? "load modules nfnetlink_queue and nft_queue (CONFIG_NFT_QUEUE)" : "")
}

private func feature<Failure: Error>(
    _ name: String, isRequired: Bool = true, mend: String, _ attempt: () throws(Failure) -> Void
) -> KernelFeature {
    do throws(Failure) {
        try attempt()
        return KernelFeature(name: name, available: true, isRequired: isRequired, detail: "works", mend: "")
    } catch {
        return KernelFeature(name: name, available: false, isRequired: isRequired, detail: "\(error)", mend: mend)
    }
}

private func makeSocket(_ family: Int32) throws(SystemCallError) -> Descriptor {
    Descriptor(owning: try syscall("socket") { socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) })
}
