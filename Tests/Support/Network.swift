// Small networks made of namespaces, for tests that need real ones.
//
//     let network = try Network()
//     let node1 = try network.node("node1", "10.1.0.1/24", "fd00:1::1/64")
//     let node2 = try network.node("node2", "10.1.0.2/24", "fd00:1::2/64")
//     let client = try node1.container("client", "10.244.1.10/24", "fd00:244:1::10/64")
//     let server = try node2.container("server", "10.244.2.10/24", "fd00:244:2::10/64")
//     try server.nginx(port: 80, body: "hello")
//     #expect(try client.run("curl", "-s", "http://10.244.2.10/").output == "hello")

import Linux
import Synchronization

/// Nodes joined by one link (a bridge), and containers behind them. Each of them holds the network, and all of it, the programs
/// included, goes with the last.
///
/// Settings such as forwarding are made inside its namespaces only, and the machine's own namespace gets no interface.
public final class Network {
    /// Whether this process may make namespaces; a test says `.enabled(if: Network.isPossible, "needs root")`.
    public static var isPossible: Bool { geteuid() == 0 }

    private let prefix: String
    private var namespaces: [String] = []
    private var nodes: [WeakNode] = []
    var programs: [NetworkProgram] = []
    /// The namespace that has the bridge between the nodes.
    private let link: String

    public init() throws {
        Network.removeLeftovers()
        prefix = "sallyport-test-\(getpid())-\(Network.serial())-"
        link = prefix + "link"
        do {
            try make(link)
            try ip("-n", link, "link", "add", "link0", "type", "bridge", "forward_delay", "0")
            try ip("-n", link, "link", "set", "link0", "up")
        } catch {
            removeAll()
            throw error
        }
    }

    deinit { removeAll() }

    /// Adds a node with these addresses ("10.1.0.1/24") on the link, its interface `eth0`.
    public func node(_ name: String, _ addresses: String...) throws -> NetworkNode {
        let node = NetworkNode(name: name, namespace: try makeNamespace(name), addresses: addresses, network: self)
        try ip("-n", node.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", name, "netns", link)
        try ip("-n", link, "link", "set", name, "master", "link0", "up")
        try node.bringUp("eth0", addresses)
        // As to a router that is not there: a service address needs a route before it is translated.
        try ip("-n", node.namespace, "route", "add", "default", "dev", "eth0")
        try ip("-n", node.namespace, "-6", "route", "add", "default", "dev", "eth0")
        try sysctl(in: node.namespace, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for other in others(than: node) { try other.routeContainers(from: node) }
        nodes.append(WeakNode(node: node))
        return node
    }

    func others(than node: NetworkNode) -> [NetworkNode] { nodes.compactMap(\.node).filter { $0 !== node } }

    /// Takes a place's namespace away, as the end of a container does.
    public func removeNamespace(of place: some NetworkPlace) throws {
        try ip("netns", "del", place.namespace)
        namespaces.removeAll { $0 == place.namespace }
    }

    func makeNamespace(_ name: String) throws -> String {
        let namespace = prefix + name
        try make(namespace)
        return namespace
    }

    func ip(_ arguments: String...) throws {
        try NetworkProgram.check("ip", arguments, in: nil)
    }

    func sysctl(in namespace: String, _ settings: String...) throws {
        try NetworkProgram.check("sysctl", ["-qw"] + settings, in: namespace)
    }

    private func make(_ namespace: String) throws {
        try ip("netns", "add", namespace)
        namespaces.append(namespace)
        try ip("-n", namespace, "link", "set", "lo", "up")
        // Addresses are usable at once, without the second that duplicate detection takes, and replies may take another way.
        try sysctl(
            in: namespace, "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0")
    }

    private func removeAll() {
        for program in programs { program.stop() }
        for namespace in namespaces.reversed() { Network.remove(namespace) }
    }

    private static func remove(_ namespace: String) {
        _ = try? NetworkProgram.run("ip", ["netns", "del", namespace], in: nil)
    }

    /// Removes what tests left that were killed: namespaces that carry the id of a process that is no more, and what runs in them.
    private static func removeLeftovers() {
        guard let list = try? NetworkProgram.run("ip", ["netns", "list"], in: nil).output else { return }
        for line in list.split(separator: "\n") {
            guard let name = line.split(separator: " ").first, name.hasPrefix("sallyport-test-"),
                let pid = name.split(separator: "-").dropFirst(2).first.flatMap({ Int32($0) }), kill(pid, 0) != 0
            else { continue }
            let running = (try? NetworkProgram.run("ip", ["netns", "pids", String(name)], in: nil).output) ?? ""
            for pid in running.split(separator: "\n").compactMap({ Int32($0) }) { kill(pid, SIGKILL) }
            remove(String(name))
        }
    }

    /// A number that no other network of this process has.
    private static func serial() -> Int { serials.withLock { $0 += 1; return $0 } }
    private static let serials = Mutex(0)
}

/// The nodes hold the network.
private struct WeakNode {
    weak var node: NetworkNode?
}
