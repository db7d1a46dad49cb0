// The network of most end-to-end tests: a client and a stranger on one node, two web servers on the other.

import Support

/// Two nodes with an enforcer each. The service /test/web, 10.96.0.10:9376 and [fd00:10:96::10]:9376, is spread over the servers'
/// port 80. Units tagged app=client may call those tagged app=web; the stranger may not.
struct TwoNodes {
    let node1, node2: NetworkNode
    let client, stranger, server1, server2: NetworkContainer
    let sallyport: Sallyport
    let enforcer1, enforcer2: Enforcer

    static let v4 = "http://10.96.0.10:9376/"
    static let v6 = "http://[fd00:10:96::10]:9376/"

    /// Settings for both ways in which units' connections come to the enforcer.
    static let redirections = ["redirection: steering", "redirection: nat"]

    init(settings: String = "") throws {
        let network = try Network()
        node1 = try network.node("node1", "10.1.0.1/24", "fd00:1::1/64")
        node2 = try network.node("node2", "10.1.0.2/24", "fd00:1::2/64")
        client = try node1.container("client", "10.244.1.10/24", "fd00:244:1::10/64")
        stranger = try node1.container("stranger", "10.244.1.11/24", "fd00:244:1::11/64")
        server1 = try node2.container("server1", "10.244.2.10/24", "fd00:244:2::10/64")
        server2 = try node2.container("server2", "10.244.2.11/24", "fd00:244:2::11/64")
        try node1.clusterIP("10.96.0.10", port: 9376, to: "10.244.2.10:80", "10.244.2.11:80")
        try node1.clusterIP("fd00:10:96::10", port: 9376, to: "[fd00:244:2::10]:80", "[fd00:244:2::11]:80")
        try server1.nginx(port: 80, body: "the secret of a server")
        try server2.nginx(port: 80, body: "the secret of a server")

        sallyport = try Sallyport()
        try sallyport.unit("client", client, tags: "app=client")
        try sallyport.unit("stranger", stranger, tags: "app=stranger")
        try sallyport.unit("server1", server1, tags: "app=web")
        try sallyport.unit("server2", server2, tags: "app=web")
        try sallyport.service("web", addresses: "10.96.0.10", "fd00:10:96::10", port: 9376, target: "app=web", targetPort: 80)
        try sallyport.allow("app=client", toReach: "app=web", port: 80)
        enforcer1 = try sallyport.enforcer(on: node1, settings: settings)
        enforcer2 = try sallyport.enforcer(on: node2, settings: settings)
    }
}

extension TwoNodes {
    /// Waits until `condition` holds; when it never does, the error has what the daemons logged.
    func eventually(_ what: String, _ condition: () throws -> Bool) throws {
        do {
            try Support.eventually(what, condition)
        } catch {
            throw NetworkError(what: "\(error)\nnode1:\n\(enforcer1.log)\nnode2:\n\(enforcer2.log)")
        }
    }
}

extension NetworkContainer {
    /// Whether an enforcer has left something here: a table, or rules of policy routing.
    var isHeld: Bool {
        get throws { try run("nft", "list", "tables").output.contains("sallyport") || run("ip", "rule").output.contains("23057") }
    }

    /// curl's status, output and errors for `url`.
    func curl(_ url: String) throws -> ProgramResult {
        try run("curl", "--silent", "--show-error", "--globoff", "--max-time", "10", url)
    }
}
