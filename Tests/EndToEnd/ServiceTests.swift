// A client and a service behind a load balancer: the whole path, with real programs.

import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct ServiceTests {
    @Test("a unit that may reaches the service as ever, and between the nodes all is TLS", arguments: [TwoNodes.v4, TwoNodes.v6], TwoNodes.redirections)
    func encrypted(url: String, redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        let link = try nodes.node1.capture("eth0")
        let answer = try nodes.client.curl(url)
        #expect(answer.output == "the secret of a server", "\(answer) \(nodes.enforcer1.log) \(nodes.enforcer2.log)")
        #expect(!(try link.stop()).contains("secret"))

        let sent = try nodes.enforcer1.flow { $0.side == "client" }
        #expect(sent.source.name == "client")
        #expect(sent.destination.name?.hasPrefix("server") == true)
        #expect(sent.service == "/test/web")
        #expect(sent.verdict == "accepted")
        #expect(sent.encrypted == "enforcer")
        #expect(sent.tlsVersion == "TLSv1.3")
        let received = try nodes.enforcer2.flow { $0.side == "server" }
        #expect(received.source.name == "client")
        #expect(received.destination.name == sent.destination.name)
        #expect(received.traceId == sent.traceId)
    }

    @Test("a unit that may not is refused, and the record says why", arguments: TwoNodes.redirections)
    func refused(redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        #expect(try nodes.stranger.curl(TwoNodes.v4).status != 0)
        let flow = try nodes.enforcer1.flow { $0.source.name == "stranger" }
        #expect(flow.verdict == "refused")
        #expect(flow.reason == "default-reject")
    }

    @Test("a unit that dials another straight, and not through the service, is treated the same", arguments: TwoNodes.redirections)
    func direct(redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        let link = try nodes.node1.capture("eth0")
        #expect(try nodes.client.curl("http://10.244.2.10/").output == "the secret of a server")
        #expect(try nodes.stranger.curl("http://10.244.2.10/").status != 0)
        #expect(!(try link.stop()).contains("secret"))
        let flow = try nodes.enforcer2.flow { $0.source.name == "client" }
        #expect(flow.destination.name == "server1")
    }

    @Test("what an enforcer protected is refused while it is gone, and served again when it is back", arguments: TwoNodes.redirections)
    func crash(redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        #expect(try nodes.client.curl(TwoNodes.v4).status == 0)
        try nodes.enforcer1.stop(SIGKILL)
        try eventually("refused") { try nodes.client.curl(TwoNodes.v4).status == 7 }
        try nodes.enforcer1.start()
        #expect(try nodes.client.curl(TwoNodes.v4).output == "the secret of a server")
    }

    @Test("a permission given or taken while the enforcers run is in force a moment later", arguments: TwoNodes.redirections)
    func change(redirection: String) throws {
        let nodes = try TwoNodes(settings: redirection)
        try nodes.sallyport.allow("app=stranger", toReach: "app=web", port: 80)
        try eventually("let through") { try nodes.stranger.curl(TwoNodes.v4).status == 0 }
        try nodes.sallyport.forbid("app=stranger", toReach: "app=web", port: 80)
        try eventually("refused") { try nodes.stranger.curl(TwoNodes.v4).status != 0 }
        #expect(try nodes.client.curl(TwoNodes.v4).status == 0)
    }
}
