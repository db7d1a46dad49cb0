// The machines and containers of a test network.

import Linux

/// Somewhere in a test network where programs run.
public protocol NetworkPlace: AnyObject {
    var name: String { get }
    /// The network namespace, a name in /run/netns.
    var namespace: String { get }
    /// With their prefix lengths: "10.1.0.1/24".
    var addresses: [String] { get }
    var network: Network { get }
}

extension NetworkPlace {
    public var namespacePath: String { "/run/netns/\(namespace)" }

    /// Runs a program to its end.
    /// - Throws: `NetworkError` when it cannot be started or takes longer than `timeout` seconds.
    @discardableResult
    public func run(
        _ program: String, _ first: String..., arguments: [String] = [], input: String = "", timeout: Int = 30
    ) throws -> ProgramResult {
        try NetworkProgram.run(program, first + arguments, in: namespace, input: input, timeout: timeout)
    }

    /// Starts a program that runs until it is stopped, or until the network goes.
    public func start(_ program: String, _ arguments: String...) throws -> NetworkProgram {
        try start(program, arguments)
    }

    public func start(_ program: String, _ arguments: [String], environment: [String] = [], keeping kept: AnyObject? = nil) throws -> NetworkProgram {
        let running = try NetworkProgram(program, arguments, in: namespace, environment: environment, keeping: kept)
        network.programs.append(running)
        return running
    }

    /// Applies an nftables ruleset.
    public func nft(_ ruleset: String) throws {
        try NetworkProgram.check("nft", ["-f", "-"], in: namespace, input: ruleset)
    }

    /// How many bytes an interface has received.
    private func receivedBytes(_ interface: String) throws -> UInt64 {
        let output = try run("cat", "/proc/net/dev").output
        let line = output.split(separator: "\n").map { $0.split { $0 == " " || $0 == ":" } }.first { $0.first.map(String.init) == interface }
        guard let line, line.count > 1, let bytes = UInt64(line[1]) else { throw NetworkError(what: "no \(interface) in \(output)") }
        return bytes
    }

    /// Waits until nothing comes to an interface but probes of closed windows, since every buffer on the way is full.
    ///
    /// - Returns: How many bytes it has received.
    @discardableResult
    public func waitUntilAtRest(_ interface: String) throws -> UInt64 {
        var (moved, looks) = (UInt64(0), 0)
        try eventually("at rest") {
            let now = try receivedBytes(interface)
            looks = now - moved < 10_000 ? looks + 1 : 0
            moved = now
            return looks == 20
        }
        return moved
    }

    func bringUp(_ interface: String, _ addresses: [String]) throws {
        for address in addresses { try network.ip("-n", namespace, "addr", "add", address, "dev", interface) }
        try network.ip("-n", namespace, "link", "set", interface, "up")
    }
}

/// A container, or pod: its interface is `eth0`, its way out the node.
public final class NetworkContainer: NetworkPlace {
    public let name: String
    public let namespace: String
    public let addresses: [String]
    public let node: NetworkNode
    public var network: Network { node.network }

    init(name: String, namespace: String, addresses: [String], node: NetworkNode) {
        self.name = name
        self.namespace = namespace
        self.addresses = addresses
        self.node = node
    }

    /// Ends the container as its runtime does: takes its interface away, and its namespace's name.
    public func end() throws {
        try network.ip("-n", node.namespace, "link", "del", name)
        try network.removeNamespace(of: self)
    }
}

/// A machine on the link. It routes for its containers, whose bridge is `cni0`.
public final class NetworkNode: NetworkPlace {
    public let name: String
    public let namespace: String
    public let addresses: [String]
    public let network: Network
    /// The subnets of its containers.
    private var subnets: Set<CIDR> = []
    private var hasBridge = false

    init(name: String, namespace: String, addresses: [String], network: Network) {
        self.name = name
        self.namespace = namespace
        self.addresses = addresses
        self.network = network
    }

    /// Adds a container. The first address of each of its subnets is the node's.
    public func container(_ name: String, _ addresses: String...) throws -> NetworkContainer {
        let container = NetworkContainer(
            name: name, namespace: try network.makeNamespace("\(self.name)-\(name)"), addresses: addresses, node: self)
        if !hasBridge {
            try network.ip("-n", namespace, "link", "add", "cni0", "type", "bridge", "forward_delay", "0")
            try network.ip("-n", namespace, "link", "set", "cni0", "up")
            hasBridge = true
        }
        try network.ip("-n", namespace, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", container.namespace)
        try network.ip("-n", namespace, "link", "set", name, "master", "cni0", "up")
        // As the bridge plugin of CNI does: a container may be sent back what it sent, when a service leads to itself.
        try network.ip("-n", namespace, "link", "set", name, "type", "bridge_slave", "hairpin", "on")
        try container.bringUp("eth0", addresses)
        for address in addresses {
            let (subnet, gateway) = try split(address)
            if subnets.insert(subnet).inserted {
                try network.ip("-n", namespace, "addr", "add", "\(gateway)/\(address.split(separator: "/")[1])", "dev", "cni0")
                for other in network.others(than: self) { try other.route(subnet, via: self) }
            }
            try network.ip("-n", container.namespace, "route", "add", "default", "via", "\(gateway)")
        }
        return container
    }

    func routeContainers(from node: NetworkNode) throws {
        for subnet in subnets { try node.route(subnet, via: self) }
    }

    private func route(_ subnet: CIDR, via node: NetworkNode) throws {
        for address in node.addresses {
            guard let gateway = IPAddress(address.prefix { $0 != "/" }), gateway.isV4 == subnet.isV4 else { continue }
            try network.ip("-n", namespace, "route", "add", "\(subnet)", "via", "\(gateway)")
        }
    }

    private func split(_ address: String) throws -> (subnet: CIDR, gateway: IPAddress) {
        let parts = address.split(separator: "/")
        guard parts.count == 2, let ip = IPAddress(parts[0]), let length = Int(parts[1]) else {
            throw NetworkError(what: "\(address) is not an address with a prefix length")
        }
        let subnet = CIDR(ip, prefix: length + (ip.isV4 ? 96 : 0))
        return (subnet, IPAddress(high: subnet.base.high, low: subnet.base.low + 1))
    }
}
