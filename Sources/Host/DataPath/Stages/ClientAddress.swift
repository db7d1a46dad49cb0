// Server side, `target.sourceAddress: client`: the application is dialled from its client's address. Its answers come back
// because interception leads them to this namespace (docs/interception.md, "Clients' addresses").

import Linux
import Policy

/// Where a connection is dialled from.
enum Origin {
    /// Whatever address and port the kernel chooses.
    case own
    /// A client's address and port; port 0 for any that is free.
    case client(SocketAddress)
}

extension Worker {
    /// - Returns: Why `client` cannot be who dials `target`, or nil. Nobody comes to be taken for the unit itself over loopback.
    func problem(inDialling target: SocketAddress, from client: SocketAddress) -> String? {
        let address = client.address
        if address.isV4 != target.address.isV4 {
            return "the client has an \(address.isV4 ? "IPv4" : "IPv6") address and the unit is reached by \(target.address.isV4 ? "IPv4" : "IPv6"); let the load balancer keep the family, or set target.proxyProtocol in place of target.sourceAddress"
        }
        if !address.isOfAnotherHost {
            return "\(address) is no address that a client has; see what tells it, the load balancer or the client's enforcer"
        }
        return nil
    }

    /// Binds a socket to an address that is not this host's: ip(7), IP_TRANSPARENT.
    /// - Returns: 0 if it could be done, else errno.
    func takeAddress(_ fd: Int32, _ client: SocketAddress) -> Int32 {
        let (level, option) = client.address.isV4 ? (Int32(IPPROTO_IP), Int32(IP_TRANSPARENT)) : (Int32(IPPROTO_IPV6), Int32(IPV6_TRANSPARENT))
        if !set(fd, level, option, 1) { return clinux_errno() }
        // Others from that address and port may live, towards other targets; connect(2) finds out whether the four are unique.
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        // connect(2) chooses the port then, among all that are free towards the target: ip(7).
        if client.port == 0 { set(fd, Int32(IPPROTO_IP), Int32(IP_BIND_ADDRESS_NO_PORT), 1) }
        var (raw, length) = client.raw
        let result = withUnsafePointer(to: &raw) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, length) }
        }
        return result == 0 ? 0 : clinux_errno()
    }
}
