// Where the two ends of a flow may be: on one node, in one unit, on the node itself; and a place that vanishes.

import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct PlacesTests {
    @Test("a client and a server on one node are served by one enforcer, and encrypted all the same")
    func sameNode() throws {
        let nodes = try TwoNodes()
        let neighbour = try nodes.node1.container("neighbour", "10.244.1.12/24", "fd00:244:1::12/64")
        try neighbour.nginx(port: 80, body: "the neighbour")
        try nodes.node1.clusterIP("10.96.0.11", port: 9376, to: "10.244.1.12:80")
        try nodes.sallyport.unit("neighbour", neighbour, tags: "app=neighbour")
        try nodes.sallyport.service("neighbour", addresses: "10.96.0.11", port: 9376, target: "app=neighbour", targetPort: 80)
        try nodes.sallyport.allow("app=client", toReach: "app=neighbour", port: 80)

        try nodes.eventually("recorded as encrypted") {
            try nodes.client.curl("http://10.96.0.11:9376/").output == "the neighbour"
                && nodes.enforcer1.flows().contains { $0.side == "server" && $0.service == "/test/neighbour" && $0.encrypted == "enforcer" }
        }
        #expect(try nodes.stranger.curl("http://10.96.0.11:9376/").status != 0)
    }

    @Test("a unit may reach itself through a service", arguments: ["http://10.96.0.12:9376/", "http://10.244.1.13/"], TwoNodes.redirections)
    func hairpin(url: String, redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        let both = try nodes.node1.container("both", "10.244.1.13/24", "fd00:244:1::13/64")
        try both.nginx(port: 80, body: "myself")
        try nodes.node1.clusterIP("10.96.0.12", port: 9376, to: "10.244.1.13:80")
        try nodes.sallyport.unit("both", both, tags: "app=both")
        try nodes.sallyport.service("both", addresses: "10.96.0.12", port: 9376, target: "app=both", targetPort: 80)
        try nodes.sallyport.allow("app=both", toReach: "app=both", port: 80)

        try nodes.eventually("recorded as encrypted") {
            try both.curl(url).output == "myself"
                && nodes.enforcer1.flows().contains { $0.side == "server" && $0.destination.name == "both" && $0.encrypted == "enforcer" }
        }
        #expect(try nodes.stranger.curl(url).status != 0)
    }

    @Test("the node itself may be a unit, which what it forwards for others is no part of")
    func host() throws {
        let nodes = try TwoNodes()
        try nodes.node1.nginx(port: 8080, body: "the node")
        try nodes.sallyport.policy("unit-host", """
            apiVersion: sallyport.dev/v1
            kind: ProcessingUnit
            metadata: {name: host, namespace: /test}
            spec: {type: Host, node: node1, addresses: [10.1.0.1, "fd00:1::1"], tags: [app=host]}
            """)
        try nodes.sallyport.service("host", addresses: "10.1.0.1", port: 8080, target: "app=host", targetPort: 8080)
        try nodes.sallyport.allow("app=host", toReach: "app=web", port: 80)
        try nodes.sallyport.allow("app=client", toReach: "app=host", port: 8080)

        try nodes.eventually("encrypted from the node to the servers") {
            try nodes.node1.run("curl", "-s", "--max-time", "10", TwoNodes.v4).output == "the secret of a server"
                && nodes.enforcer2.flows().contains { $0.source.name == "host" && $0.encrypted == "enforcer" }
        }
        try nodes.eventually("encrypted from the client to the node") {
            try nodes.client.curl("http://10.1.0.1:8080/").output == "the node"
                && nodes.enforcer1.flows().contains { $0.destination.name == "host" && $0.encrypted == "enforcer" }
        }
        #expect(try nodes.stranger.curl("http://10.1.0.1:8080/").status != 0)
        #expect(try nodes.client.curl(TwoNodes.v4).output == "the secret of a server")

        // On its own node, and to itself.
        try nodes.client.nginx(port: 80, body: "the client")
        try nodes.sallyport.service("client", addresses: "10.96.0.13", port: 9376, target: "app=client", targetPort: 80)
        try nodes.node1.clusterIP("10.96.0.13", port: 9376, to: "10.244.1.10:80")
        try nodes.sallyport.allow("app=host", toReach: "app=client", port: 80)
        try nodes.eventually("encrypted from the node to its container") {
            try nodes.node1.run("curl", "-s", "--max-time", "10", "http://10.96.0.13:9376/").output == "the client"
                && nodes.enforcer1.flows().contains { $0.source.name == "host" && $0.destination.name == "client" && $0.encrypted == "enforcer" }
        }
        try nodes.sallyport.allow("app=host", toReach: "app=host", port: 8080)
        try nodes.eventually("encrypted from the node to itself") {
            try nodes.node1.run("curl", "-s", "--max-time", "10", "http://10.1.0.1:8080/").output == "the node"
                && nodes.enforcer1.flows().contains { $0.source.name == "host" && $0.destination.name == "host" && $0.encrypted == "enforcer" }
        }
    }

    @Test("a container that ends takes only itself away, and one of its name is taken up again with no change of policy")
    func vanished() throws {
        let nodes = try TwoNodes()
        try nodes.sallyport.allow("app=stranger", toReach: "app=web", port: 80)
        try nodes.eventually("let through") { try nodes.stranger.curl(TwoNodes.v4).status == 0 }
        let caller = try Caller(from: nodes.client, url: TwoNodes.v4)
        try nodes.stranger.end()
        var stranger: Enforcer.UnitStatus? { get throws { try nodes.enforcer1.units().first { $0.name == "stranger" } } }
        try nodes.eventually("noticed") { try stranger?.intercepted == false && stranger?.problem?.contains("stranger") == true }
        #expect(try nodes.enforcer1.command("status").output.contains("/test/stranger is not intercepted"))
        #expect(try nodes.enforcer1.log.contains("interception-by-nat") || nodes.enforcer1.steeredNamespaces == 1)
        #expect(nodes.enforcer1.log.contains("unit-not-intercepted"))

        let again = try nodes.node1.container("stranger", "10.244.1.11/24", "fd00:244:1::11/64")
        try nodes.eventually("noticed") { try stranger?.intercepted == true && stranger?.problem == "" }
        let flow = try nodes.enforcer1.flow({ $0.source.name == "stranger" }) {
            let answer = try again.curl(TwoNodes.v4).output
            #expect(answer == "the secret of a server")
        }
        #expect(flow.encrypted == "enforcer")
        #expect(try nodes.enforcer1.command("status").status == 0)
        try caller.stop()
    }

    @Test("of two units in one namespace the second is refused, and says whose it is; the first goes on")
    func shared() throws {
        let nodes = try TwoNodes()
        let caller = try Caller(from: nodes.client, url: TwoNodes.v4)
        try nodes.sallyport.unit("second", nodes.client, tags: "app=client")
        var second: Enforcer.UnitStatus? { get throws { try nodes.enforcer1.units().first { $0.name == "second" } } }
        try nodes.eventually("refused") { try second?.problem?.contains("is the namespace of /test/client already") == true }
        #expect(try second?.intercepted == false)
        let status = try nodes.enforcer1.command("status")
        #expect(status.status == 1 && status.output.contains("/test/second is not intercepted"))
        #expect(nodes.enforcer1.log.contains("two processing units cannot share one"))
        try nodes.sallyport.removePolicy("unit-second")
        try nodes.eventually("well again") { try nodes.enforcer1.command("status").status == 0 }
        try caller.stop()
    }

    @Test("an enforcer told to uninstall leaves the units as it found them", arguments: TwoNodes.redirections)
    func uninstall(redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        let foreign = "table inet somebody_else { chain output { type filter hook output priority 0; }; }"
        try nodes.client.nft(foreign)
        let isSteered = redirection.contains("steering") && !nodes.enforcer1.log.contains("interception-by-nat")
        try nodes.eventually("both units held") { try nodes.client.isHeld && nodes.enforcer1.steeredNamespaces == (isSteered ? 2 : nil) }
        let shown = try nodes.enforcer1.units().filter { $0.local ?? false }.map(\.redirection)
        #expect(shown == [isSteered ? "steering" : "nat", isSteered ? "steering" : "nat"])
        // It ends of itself, and not by the signal.
        let end = try nodes.enforcer1.stop(SIGTERM)
        #expect(end.status == 0 && end.errors.contains("stopping"), "\(end)")
        #expect(try nodes.client.isHeld)
        #expect(try nodes.enforcer1.daemon("--uninstall").status == 0)
        #expect(try !nodes.client.isHeld && nodes.enforcer1.steeredNamespaces == nil)
        #expect(try nodes.client.run("nft", "list", "tables").output == "table inet somebody_else\n")
    }

    @Test("without CAP_NET_ADMIN the enforcer says that it is this that is missing")
    func capability() throws {
        let network = try Network()
        let node = try network.node("node1", "10.1.0.1/24", "fd00:1::1/64")
        let client = try node.container("client", "10.244.1.10/24", "fd00:244:1::10/64")
        let sallyport = try Sallyport()
        try sallyport.unit("client", client, tags: "app=client")
        try sallyport.service("web", addresses: "10.96.0.10", port: 9376, target: "app=web", targetPort: 80)
        let enforcer = try sallyport.enforcer(on: node, isStarted: false)
        try enforcer.startWithout("net_admin")
        try eventually("named the capability") { try enforcer.command("pus").output.contains("CAP_NET_ADMIN") }
        let status = try enforcer.command("status")
        #expect(status.status == 1 && status.output.contains("CAP_NET_ADMIN"))
        #expect(enforcer.log.contains("CAP_NET_ADMIN"))
    }
}
