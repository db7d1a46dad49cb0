// Where things overlap, end early or run out: BEHAVIOUR's list of edges, behind a load balancer.

import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct EdgeTests {
    typealias Scene = LoadBalancerTests.Scene

    /// Opens a connection, says `words`, and is done saying at once; gives what is answered until the other end is done.
    private func call(_ place: some NetworkPlace, _ host: String, _ port: UInt16, saying words: String) throws -> ProgramResult {
        try place.run("timeout", "20", "perl", "-MIO::Socket::IP", "-e", """
            $s = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1]) or die "refused: $@";
            print $s $ARGV[2]; $s->flush; shutdown $s, 1;
            while (1) { defined($n = sysread $s, $b, 65536) or die "reset: $!"; last if !$n; print $b; }
            """, host, "\(port)", words)
    }

    private static let request = "GET / HTTP/1.0\r\n\r\n"

    @Test("of two services with one frontend the first by name is taken and a warning names both; a third on another port of the load balancer is its own")
    func overlap() throws {
        let scene = try Scene()
        try scene.server.nginx(port: 81, body: "another port")
        try scene.node2.clusterIP("10.1.0.2", port: 31845, to: "10.244.2.10:81")
        try scene.balancer.haproxy(port: 8002, """
            listen web
              bind :8001
              server node2 10.1.0.2:31844 send-proxy-v2
            listen admin
              bind :8002
              server node2 10.1.0.2:31845 send-proxy-v2
            """)
        for (name, port, target) in [("web-too", 8001, 81), ("admin", 8002, 81)] {
            try scene.sallyport.policy(name, """
                apiVersion: sallyport.dev/v1
                kind: TCPService
                metadata: {name: \(name), namespace: /test/shop}
                spec:
                  loadBalancer: {addresses: [10.1.0.9], port: \(port), proxyProtocol: {enabled: true, subnets: [10.1.0.9/32]}}
                  target: {selector: [["app=web"]], port: \(target)}
                  tags: [visible=yes]
                """)
        }
        try scene.allow(port: 81)
        try scene.dependency()
        try scene.eventually("served") { try scene.call("10.1.0.9").output == "the secret of a server" }
        try scene.eventually("served on the other port") {
            try scene.node1.run("curl", "-sS", "--max-time", "10", "http://10.1.0.9:8002/").output == "another port"
        }
        for (port, name) in [(8001, "web"), (8002, "admin")] {
            let flow = try scene.enforcer1.flow { $0.verdict == "accepted" && $0.dialledPort == port }
            #expect(flow.service == "/test/shop/\(name)")
        }
        let status = try scene.enforcer1.command("status").output
        #expect(status.contains("/test/shop/web") && status.contains("/test/shop/web-too"), "\(status)")
    }

    @Test("several units of one node have the same target port and the same public port, and each is given what is its own")
    func samePorts() throws {
        let scene = try Scene()
        let twin = try scene.node2.container("twin", "10.244.2.11/24", "fd00:244:2::11/64")
        try twin.nginx(port: 80, body: "the twin")
        try scene.node2.clusterIP("10.1.0.2", port: 31845, to: "10.244.2.11:80")
        try scene.node2.clusterIP("10.1.0.2", port: 31595, to: "10.244.2.10:8003")
        try scene.node2.clusterIP("10.1.0.2", port: 31596, to: "10.244.2.11:8003")
        try scene.balancer.haproxy(port: 9002, """
            listen web
              bind :8001
              server node2 10.1.0.2:31844 send-proxy-v2
            listen twin
              bind :8002
              server node2 10.1.0.2:31845 send-proxy-v2
            listen public-web
              bind :9001
              server node2 10.1.0.2:31595 send-proxy-v2
            listen public-twin
              bind :9002
              server node2 10.1.0.2:31596 send-proxy-v2
            """)
        try scene.sallyport.policy("twin", """
            apiVersion: sallyport.dev/v1
            kind: ProcessingUnit
            metadata: {name: twin, namespace: /test/shop}
            spec: {type: Container, node: node2, networkNamespace: \(twin.namespacePath), addresses: [10.244.2.11, "fd00:244:2::11"], tags: [app=twin]}
            ---
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: outside, namespace: /test/shop}
            spec: {entries: [10.1.0.50/32], tags: [net=outside]}
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: both, namespace: /test}
            spec:
              subject: [["app=web"], ["app=twin"]]
              incoming: [{action: Allow, object: [["app=desk"], ["net=outside"]], ports: [tcp/80]}]
              propagate: true
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: desk-twin, namespace: /test/offices}
            spec: {subject: [["app=desk"]], outgoing: [{action: Allow, object: [["app=twin"]], ports: [tcp/80]}]}
            """)
        for (file, name, port) in [("service", "web", 8001), ("service-twin", "twin", 8002)] {
            try scene.sallyport.policy(file, """
                apiVersion: sallyport.dev/v1
                kind: TCPService
                metadata: {name: \(name), namespace: /test/shop}
                spec:
                  loadBalancer: {addresses: [10.1.0.9], port: \(port), proxyProtocol: {enabled: true, subnets: [10.1.0.9/32]}}
                  target: {selector: [["app=\(name)"]], port: 80}
                  publicPort: 8003
                  tls: {mode: None}
                  tags: [visible=yes]
                """)
        }
        try scene.dependency()
        for (place, port, body, unit) in [
            (scene.node1, 8001, "the secret of a server", "server"), (scene.node1, 8002, "the twin", "twin"),
            (scene.outside, 9001, "the secret of a server", "server"), (scene.outside, 9002, "the twin", "twin"),
        ] {
            try scene.eventually("\(unit) served on \(port)") {
                try place.run("curl", "-sS", "--max-time", "10", "http://10.1.0.9:\(port)/").output == body
            }
            let flow = try scene.enforcer2.flow { $0.verdict == "accepted" && $0.destination.name == unit && $0.encrypted == (port < 9000 ? "enforcer" : "no") }
            #expect(flow.service == (unit == "twin" ? "/test/shop/twin" : "/test/shop/web"))
        }
    }

    @Test("a unit reaches itself through the load balancer, and is at both ends of the flow")
    func hairpin() throws {
        let scene = try Scene()
        try scene.balance("send-proxy-v2")
        try scene.sallyport.policy("itself", """
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: itself, namespace: /test/shop}
            spec:
              subject: [["app=web"]]
              incoming: [{action: Allow, object: [["app=web"]], ports: [tcp/80]}]
              outgoing: [{action: Allow, object: [["app=web"]], ports: [tcp/80]}]
            """)
        for host in ["10.1.0.9", "[fd00:1::9]"] {
            try scene.eventually("served through \(host)") {
                try scene.server.run("curl", "-sS", "--globoff", "--max-time", "10", "http://\(host):8001/").output == "the secret of a server"
            }
        }
        for side in ["client", "server"] {
            let flow = try scene.enforcer2.flow { $0.verdict == "accepted" && $0.side == side }
            #expect(flow.source.name == "server" && flow.destination.name == "server" && flow.encrypted == "enforcer", "\(flow)")
        }
    }

    @Test("who dials the node port or the target port itself is an external network: refused, or let in by a rule, in plain and recorded as that")
    func direct() throws {
        let scene = try Scene()
        let deliveries = try Deliveries(to: scene.server, port: 80)
        for (place, address, url) in [
            (scene.node1, "10.1.0.1", "http://10.1.0.2:31844/"), (scene.outside, "10.1.0.50", "http://10.1.0.2:31844/"),
            (scene.outside, "10.1.0.50", "http://10.244.2.10/"), (scene.outside, "fd00:1::50", "http://[fd00:244:2::10]/"),
        ] {
            let flow = try scene.enforcer2.flow({ $0.verdict == "refused" }) {
                let answer = try place.run("curl", "-sS", "--globoff", "--max-time", "10", url)
                #expect(answer.output.isEmpty, "\(url)")
            }
            #expect(flow.reason == "default-reject" && flow.sourceAddress == address && flow.encrypted == "no", "\(url): \(flow)")
        }
        #expect(try deliveries.count == 0)
        try scene.sallyport.policy("probes", """
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: probes, namespace: /test/shop}
            spec: {entries: [10.1.0.50/32, "fd00:1::50/128"], tags: [net=probes]}
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: probes, namespace: /test/shop}
            spec: {subject: [["app=web"]], incoming: [{name: probe, action: Allow, object: [["net=probes"]], ports: [tcp/80]}]}
            """)
        for url in ["http://10.1.0.2:31844/", "http://10.244.2.10/", "http://[fd00:244:2::10]/"] {
            try scene.eventually("let in at \(url)") {
                try scene.outside.run("curl", "-sS", "--globoff", "--max-time", "10", url).output == "the secret of a server"
            }
        }
        let flow = try scene.enforcer2.flow { $0.verdict == "accepted" && $0.source.name == "probes" }
        #expect(flow.source.type == "external-network" && flow.encrypted == "no" && flow.decidedBy?.rule == "probe" && flow.peerSpiffeId == nil)
    }

    @Test("a load balancer that has IPv6 alone serves as any other does")
    func ipv6Only() throws {
        let scene = try Scene()
        try scene.balancer.haproxy(port: 8001, """
            listen web
              bind [fd00:1::9]:8001 v6only
              server node2 [fd00:1::2]:31844 send-proxy-v2
            """)
        try scene.sallyport.policy("service", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: web, namespace: /test/shop}
            spec:
              loadBalancer: {addresses: ["fd00:1::9"], port: 8001, proxyProtocol: {enabled: true, subnets: ["fd00:1::/64"]}}
              target: {selector: [["app=web"]], port: 80}
              tags: [visible=yes]
            """)
        try scene.dependency()
        try scene.eventually("served") { try scene.call("[fd00:1::9]").output == "the secret of a server" }
        let flow = try scene.enforcer2.flow { $0.verdict == "accepted" }
        #expect(flow.encrypted == "enforcer" && flow.sourceAddress == "fd00:1::1" && flow.tcpPeerAddress == "fd00:1::9")
        #expect(try scene.call("10.1.0.9").status != 0)
    }

    @Test("a name with addresses of both IP versions is taken up by both; when one leaves DNS its flows live on, and new ones are no longer taken up")
    func names() throws {
        let scene = try Scene()
        try scene.balance("send-proxy-v2")
        let names = try NameServer(on: scene.node1, of: scene.enforcer1, answering: "10.1.0.9", "fd00:1::9")
        try scene.sallyport.policy("service", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: web, namespace: /test/shop}
            spec:
              loadBalancer: {hosts: [lb.example], port: 8001, proxyProtocol: {enabled: true, subnets: [10.1.0.9/32, "fd00:1::9/128"]}}
              target: {selector: [["app=web"]], port: 80}
              tags: [visible=yes]
            """)
        try scene.dependency()
        for host in ["10.1.0.9", "[fd00:1::9]"] {
            try scene.eventually("served at \(host)") { try scene.call(host).output == "the secret of a server" }
        }
        let live = try LiveFlow(from: scene.node1, to: "10.1.0.9", port: 8001)
        try names.answers("fd00:1::9")
        try scene.eventually("forgotten") { try !scene.enforcer1.command("services").output.contains("10.1.0.9:8001") }
        #expect(try live.asksAgain() == 2)
        #expect(try scene.call("10.1.0.9").status != 0)
        #expect(try scene.call("[fd00:1::9]").output == "the secret of a server")
        #expect(try live.asksAgain() == 3)
        live.end()
        let flow = try scene.enforcer1.flow { $0.dialledAddress == "10.1.0.9" && $0.bytesReceived > 500 }
        #expect(flow.verdict == "accepted" && flow.reason == nil, "\(flow)")
    }

    @Test("a client that is done right behind its request has the whole answer, from a peer's enforcer and from a public port")
    func doneAtOnce() throws {
        let scene = try Scene()
        try scene.balance("send-proxy-v2")
        try scene.dependency()
        try scene.eventually("served") { try scene.call("10.1.0.9").output == "the secret of a server" }
        for _ in 0..<20 {
            let answer = try call(scene.node1, "10.1.0.9", 8001, saying: EdgeTests.request)
            #expect(answer.status == 0 && answer.output.hasSuffix("the secret of a server"), "\(answer)")
        }
        let scene3 = try PublicScene()
        try scene3.server.nginx(port: 443, body: "the secret of a server")
        try scene3.service("{mode: None}")
        for port in [443, 444, 445] as [UInt16] {
            try scene3.eventually("served") { try scene3.curl("http://10.1.0.9:\(port)/").output == "the secret of a server" }
            for _ in 0..<10 {
                let answer = try call(scene3.outside, "10.1.0.9", port, saying: EdgeTests.request)
                #expect(answer.status == 0 && answer.output.hasSuffix("the secret of a server"), "\(answer)")
            }
        }
    }

    @Test("what an application says and ends in one packet comes to its client in one, also through TLS", arguments: ["None", "InternalCA"])
    func endsInOnePacket(mode: String) throws {
        let scene = try PublicScene()
        // MSG_MORE holds the answer back for the FIN, tcp(7).
        let server = try scene.server.start("python3", "-c", """
            import socket
            listener = socket.create_server(("0.0.0.0", 443))
            print("ready", flush=True)
            while True:
                client, _ = listener.accept()
                client.recv(4096)
                client.send(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\nall of it", socket.MSG_MORE)
                client.close()
            """)
        try server.wait("listened") { server.outputSoFar == "ready\n" }
        try scene.service("{mode: \(mode)}")
        // Straight to the node port: a load balancer would cut packets as it likes.
        func call() throws -> String { try scene.curl("\(mode == "None" ? "http" : "https")://10.1.0.2:31595/", "--insecure").output }
        try scene.eventually("served") { try call() == "all of it" }
        // A FIN alone is 52 bytes, two headers and a timestamp; with a close_notify 76, with the answer 99 and more.
        try scene.outside.nft("""
            table ip ends {
              counter last {}
              counter bare {}
              chain input {
                type filter hook input priority 0
                tcp sport 31595 tcp flags & fin == fin ip length > 90 counter name last
                tcp sport 31595 tcp flags & fin == fin ip length <= 90 counter name bare
              }
            }
            """)
        for _ in 0..<5 { #expect(try call() == "all of it") }
        func packets(_ counter: String) throws -> String { try scene.outside.run("nft", "list", "counter", "ip", "ends", counter).output }
        #expect(try packets("last").contains("packets 5 "))
        #expect(try packets("bare").contains("packets 0 "))
    }

    @Test("a connection that ends before a byte was said is a flow of no bytes between peers, and a health check on a public port")
    func nothingSaid() throws {
        let scene = try Scene()
        try scene.balance("send-proxy-v2")
        try scene.dependency()
        try scene.eventually("served") { try scene.call("10.1.0.9").output == "the secret of a server" }
        for enforcer in [scene.enforcer1, scene.enforcer2] {
            let flow = try enforcer.flow({ $0.bytesSent == 0 }) {
                let answer = try call(scene.node1, "10.1.0.9", 8001, saying: "")
                #expect(answer.output.isEmpty)
            }
            #expect(flow.verdict == "accepted" && flow.service == "/test/shop/web" && flow.encrypted == "enforcer", "\(flow)")
        }
        let scene3 = try PublicScene()
        let deliveries = try Deliveries(to: scene3.server, port: 443)
        try scene3.service("{mode: InternalCA}", header: "required")
        try scene3.eventually("counted") {
            let answer = try call(scene3.outside, "10.1.0.9", 445, saying: "")
            #expect(answer.output.isEmpty)
            return try scene3.enforcer.metric("sallyport_health_checks_total") ?? 0 >= 3
        }
        #expect(try deliveries.count == 0 && scene3.enforcer.flows().isEmpty)
    }

    @Test("when every source port towards a unit is taken, more connections are refused with the reason and what to do; the others live on")
    func outOfPorts() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server")
        try scene.service("{mode: None}")
        try scene.eventually("served") { try scene.curl("http://10.1.0.9:445/").output == "the secret of a server" }
        // Ten ports, which the kernel gives out all of.
        #expect(try scene.server.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40009").status == 0)
        let crowd = try scene.outside.start("perl", "-MIO::Socket::IP", "-e", """
            $| = 1;
            for (1..14) { push @all, IO::Socket::IP->new(PeerHost => "10.1.0.9", PeerPort => 445) or die $@; }
            sub ask { my $n = 0; for (@_) { print $_ "GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n"; $_->flush; } for (@_) { push @in, $_ if sysread $_, my $b, 65536; } scalar @in }
            print ask(@all), "\\n"; select undef, undef, undef, 0.01 while !-e $ARGV[0]; @left = @in; @in = (); print ask(@left), "\\n";
            """, "\(scene.directory.path)/again")
        try crowd.wait("was answered") { crowd.outputSoFar.hasSuffix("\n") }
        let flow = try scene.enforcer.flow { $0.reason == "out-of-ports" }
        #expect(flow.detail?.contains("net.ipv4.ip_local_port_range") == true && flow.sourceAddress == "10.1.0.50", "\(flow)")
        try scene.directory.write("again", "")
        try scene.eventually("answered again") { crowd.outputSoFar.split(separator: "\n").count == 2 }
        let counts = crowd.stop().output.split(separator: "\n").compactMap { Int($0) }
        #expect(counts.count == 2 && counts[0] == counts[1] && counts[0] >= 9 && counts[0] < 14, "\(counts)")
        // With ports again, clients are served again. (Those of connections that have ended wait: TIME_WAIT.)
        #expect(try scene.server.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=41000 42000").status == 0)
        try scene.eventually("served again") { try scene.curl("http://10.1.0.9:445/").output == "the secret of a server" }
    }
}
