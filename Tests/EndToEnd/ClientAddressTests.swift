// `target.sourceAddress: client`: the application itself sees who its client is, with nothing changed in what it reads.

import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct ClientAddressTests {
    @Test("an application behind a public port sees its client's address and port, over either IP version, whatever tells of the client",
        arguments: zip([false, true], TwoNodes.redirections))
    func publicPort(tlsOnly: Bool, redirection: String) throws {
        let scene = try PublicScene(settings: redirection)
        try scene.server.nginx(port: 443, body: "you are $remote_addr port $remote_port", certificate: tlsOnly ? ServerCertificate(for: "app.example") : nil)
        try scene.service("{mode: InternalCA}", target: ", tlsOnly: \(tlsOnly), sourceAddress: client")
        for (host, client, balancer) in [("10.1.0.9", "10.1.0.50", "10.1.0.9"), ("[fd00:1::9]", "fd00:1::50", "fd00:1::9")] {
            for (port, version) in PublicScene.ways {
                let seen = version == nil ? balancer : client
                try scene.eventually("\(seen) seen through \(host):\(port)") {
                    try scene.curl("https://\(host):\(port)/", "--cacert", scene.bundle).output.hasPrefix("you are \(seen) port ")
                }
            }
            let answer = try scene.curl("https://\(host):445/", "--cacert", scene.bundle, "-w", " %{local_port}").output.split(separator: " ")
            #expect(answer.count == 6 && answer[4] == answer[5], "the client's own port: \(answer)")
        }
        // More than fits any buffer, towards the application; many at once, and again.
        let load = "head -c 3000000 /dev/zero | curl -sS --max-time 20 --cacert \"$1\" -T - -o /dev/null -w '%{http_code} ' https://10.1.0.9:445/x"
        let uploads = try scene.outside.run("bash", "-c", "for n in 1 2 3 4 5 6 7 8; do { \(load); } & done; wait", "bash", scene.bundle)
        #expect(uploads.output.split(separator: " ").count { $0 == "200" } == 8, "\(uploads)")

        // Taken back: from the unit itself, and nothing is left of the way that answers took.
        func ways() throws -> String { try scene.server.run("ip", "rule").output + scene.server.run("nft", "list", "table", "inet", "sallyport").output }
        #expect(try ways().contains("fwmark 0x2000000/0x3000000") && ways().contains("chain returning"))
        try scene.service("{mode: InternalCA}", target: ", tlsOnly: \(tlsOnly)")
        try scene.eventually("from the unit itself") {
            try scene.curl("https://10.1.0.9:445/", "--cacert", scene.bundle).output.hasPrefix("you are 10.244.2.10 port ")
        }
        #expect(try !ways().contains("fwmark 0x2000000/") && !ways().contains("chain returning"))
    }

    @Test("an application reached by a peer's enforcer sees the unit that dials, through a load balancer and straight")
    func peers() throws {
        let scene = try LoadBalancerTests.Scene()
        try scene.server.nginx(port: 81, body: "you are $remote_addr")
        try scene.balance("send-proxy-v2")
        try scene.dependency()
        try scene.node2.nft("flush table ip kube-proxy; add rule ip kube-proxy prerouting ip daddr 10.1.0.2 tcp dport 31844 dnat to 10.244.2.10:81")
        try scene.sallyport.policy("service", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: web, namespace: /test/shop}
            spec:
              loadBalancer: {addresses: [10.1.0.9], port: 8001, proxyProtocol: {enabled: true, subnets: [10.1.0.9/32], header: optional}}
              target: {selector: [["app=web"]], port: 81, sourceAddress: client}
              tags: [visible=yes]
            """)
        try scene.allow(port: 81)
        try scene.eventually("seen through the load balancer") { try scene.call("10.1.0.9").output == "you are 10.1.0.1" }
        #expect(try scene.node1.run("curl", "-sS", "--max-time", "10", "http://10.244.2.10:81/").output == "you are 10.1.0.1")
        #expect(try scene.enforcer2.flow { $0.verdict == "accepted" && $0.tcpPeerAddress == "10.1.0.9" && $0.encrypted == "enforcer" }.sourceAddress == "10.1.0.1")
    }

    @Test("two connections that say they come from one address and port are both served, the second from another port")
    func takenPort() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "you are $remote_addr port $remote_port\\n")
        try scene.service("{mode: None}", target: ", sourceAddress: client")
        try scene.eventually("served") { try scene.curl("http://10.1.0.9:445/").output.hasPrefix("you are 10.1.0.50 port ") }
        let script = """
            for n in 3 4; do
              eval "exec $n<>/dev/tcp/10.1.0.2/31595"
              printf 'PROXY TCP4 10.1.0.50 10.1.0.9 4000 443\\r\\nGET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n' >&$n
              timeout 10 grep -m 1 '^you are' <&$n
            done
            """
        let answers = try scene.balancer.run("bash", "-c", script).output.split(separator: "\n")
        #expect(answers.count == 2 && answers.first == "you are 10.1.0.50 port 4000", "\(answers)")
        #expect(answers.last?.hasPrefix("you are 10.1.0.50 port ") == true && answers.last != answers.first, "\(answers)")
    }

    @Test("an address that no client has, or of the other IP version, is refused with its reason: nobody comes to be taken for the unit itself over loopback")
    func unusable() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "you are $remote_addr")
        try scene.service("{mode: None}", target: ", sourceAddress: client")
        try scene.sallyport.policy("outside", """
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: anybody, namespace: /test}
            spec: {entries: [0.0.0.0/0, "::/0"], tags: [net=anybody]}
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: web, namespace: /test}
            spec: {subject: [["app=web"]], incoming: [{name: public, action: Allow, object: [["net=anybody"]], ports: [any]}]}
            """)
        try scene.eventually("served") { try scene.curl("http://10.1.0.9:445/").output == "you are 10.1.0.50" }
        let deliveries = try Deliveries(to: scene.server, port: 443)
        for (header, target, words) in [
            ("PROXY TCP4 127.0.0.1 10.1.0.9 4000 443", "10.1.0.2", "no address that a client has"),
            ("PROXY TCP4 0.0.0.0 10.1.0.9 4000 443", "10.1.0.2", "no address that a client has"),
            ("PROXY TCP6 ::1 fd00:1::9 4000 443", "fd00:1::2", "no address that a client has"),
            ("PROXY TCP6 fd00:1::50 fd00:1::9 4000 443", "10.1.0.2", "keep the family"),
        ] {
            let forger = try Intruder(from: scene.balancer, to: target, port: 31595)
            let flow = try scene.enforcer.flow({ $0.verdict == "refused" }) {
                let answer = try forger.sends(Array("\(header)\r\nGET / HTTP/1.0\r\n\r\n".utf8))
                #expect(answer.output.isEmpty, "\(header)")
            }
            #expect(flow.reason == "client-address-unusable" && flow.detail?.contains(words) == true, "\(header): \(flow)")
        }
        #expect(try deliveries.count == 0)
    }
}
