// The processing unit that is the node itself.

import Interception
import Linux
import Support
import Testing

@Suite(.enabled(if: Network.isPossible, "needs root, to make network namespaces"), .serialized)
struct HostTests {
    @Test("what a node forwards for its containers is not the node's", arguments: Redirection.allCases)
    func forwarding(redirection: Redirection) throws {
        let net = try Neighbours()
        let inside = try NetworkNamespace(net.node)
        let server = try net.serverInside.listen(port: 80)
        let host = try Interceptor(of: net.node, by: redirection, kind: .host)
        try host.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [80])

        _ = try net.clientInside.dial("10.244.1.20:80")
        _ = try accept(from: [server.raw])
        _ = try inside.dial("10.244.1.20:80")
        #expect(try accept(from: host.outgoing).dialled == "10.244.1.20:80")
        _ = try net.clientInside.dial("10.1.0.1:80")
        #expect(try accept(from: host.incoming).dialled == "10.1.0.1:80")
    }

    @Test(
        "a node's service address is intercepted before kube-proxy's rules, and the enforcer is led by them",
        arguments: Redirection.allCases)
    func clusterIP(redirection: Redirection) throws {
        let net = try Neighbours()
        try net.node.clusterIP("10.96.0.10", port: 9376, to: "10.244.1.20:80")
        let inside = try NetworkNamespace(net.node)
        let server = try net.serverInside.listen(port: 80)
        let host = try Interceptor(of: net.node, by: redirection, kind: .host)
        try host.apply(frontends: frontends("10.96.0.10:9376"), servedPorts: [])

        _ = try inside.dial("10.96.0.10:9376")
        #expect(try accept(from: host.outgoing).dialled == "10.96.0.10:9376")
        _ = try inside.dial("10.96.0.10:9376", as: .enforcerToNetwork)
        _ = try accept(from: [server.raw])
    }

    @Test("what another table translated to a served port is taken up or, where nat leads, refused; it is not let in unseen", arguments: Redirection.allCases)
    func translatedByOthers(redirection: Redirection) throws {
        let network = try Network()
        let node = try network.node("node", "10.1.0.1/24", "fd00:1::1/64")
        let other = try network.node("other", "10.1.0.2/24", "fd00:1::2/64")
        try node.clusterIP("10.1.0.1", port: 30080, to: "10.1.0.1:80")
        let inside = try NetworkNamespace(node)
        let application = try inside.listen(port: 80)
        let host = try Interceptor(of: node, by: redirection, kind: .host)
        try host.apply(frontends: [], servedPorts: [80])

        let outside = try NetworkNamespace(other)
        switch redirection {
        case .nat: #expect(try outside.failureToDial("10.1.0.1:30080") == ECONNREFUSED)
        case .steering:
            let client = try outside.dial("10.1.0.1:30080")
            let accepted = try accept(from: host.incoming)
            #expect(accepted.dialled == "10.1.0.1:80")
            try accepted.socket.send("taken up")
            #expect(try client.receive() == "taken up")
        }
        // The node to itself, though by way of another table.
        _ = try inside.dial("10.1.0.1:30080")
        _ = try accept(from: [application.raw])
    }
}
