// What the applications speak: TLS of their own, TLS only, the server first, one side done before the other.

import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct ApplicationTests {
    /// Two nodes, and on the second a unit `app` whose port 443 the client may reach as 10.96.0.20:9443.
    private struct Scene {
        let nodes: TwoNodes
        let app: NetworkContainer

        init() throws {
            nodes = try TwoNodes()
            app = try nodes.node2.container("app", "10.244.2.20/24", "fd00:244:2::20/64")
            try nodes.node1.clusterIP("10.96.0.20", port: 9443, to: "10.244.2.20:443")
            try nodes.sallyport.unit("app", app, tags: "app=own")
            try nodes.sallyport.allow("app=client", toReach: "app=own", port: 443)
        }

        /// - Parameter target: More of the service's target.
        func service(_ target: String = "") throws {
            try nodes.sallyport.policy("service-own", """
                apiVersion: sallyport.dev/v1
                kind: TCPService
                metadata: {name: own, namespace: /test}
                spec:
                  loadBalancer: {addresses: [10.96.0.20], port: 9443}
                  target:
                    selector: [["app=own"]]
                    port: 443
                \(target)
                """)
        }

        /// Waits until a call is answered through the service, and not past the enforcers as before it was there.
        func inForce(_ call: () throws -> Bool) throws {
            try nodes.eventually("in force") { try call() && nodes.enforcer1.flows().contains { $0.service == "/test/own" } }
        }

        func curl(_ options: String...) throws -> ProgramResult {
            try nodes.client.run("curl", "-sS", "--insecure", "--max-time", "10", arguments: options)
        }
    }

    @Test("the application's own TLS is carried as it is, and recorded as such; not even the name it asks for is seen")
    func innerTLS() throws {
        let scene = try Scene()
        try scene.app.nginx(port: 443, body: "a secret of its own", certificate: ServerCertificate(for: "inner.example"))
        try scene.service()
        try scene.inForce { try scene.curl("https://10.96.0.20:9443/").output == "a secret of its own" }
        let link = try scene.nodes.node1.capture("eth0")
        let answer = try scene.curl("--resolve", "inner.example:9443:10.96.0.20", "--http1.1", "https://inner.example:9443/")
        #expect(answer.output == "a secret of its own")
        let seen = try link.stop()
        #expect(!seen.contains("inner.example") && !seen.contains("secret"))
        for (enforcer, side) in [(scene.nodes.enforcer1, "client"), (scene.nodes.enforcer2, "server")] {
            let flow = try enforcer.flow { $0.side == side && $0.service == "/test/own" && $0.verdict == "accepted" }
            #expect(flow.encrypted == "application")
            #expect(flow.tlsVersion == "TLSv1.3")
            #expect(flow.peerSpiffeId?.hasSuffix(side == "client" ? "/pu/app" : "/pu/client") == true)
        }
        #expect(try scene.nodes.stranger.run("curl", "-sk", "--max-time", "10", "https://10.96.0.20:9443/").status != 0)
    }

    @Test("a service that is tlsOnly is served to a client that speaks plain, and to one that speaks TLS, and not to strangers")
    func tlsOnly() throws {
        let scene = try Scene()
        let certificate = try ServerCertificate(for: "app.example")
        try scene.app.nginx(port: 443, body: "a secret of its own", certificate: certificate)
        let inside = try scene.app.capture("lo")
        try scene.service("    tlsOnly: true")
        try scene.nodes.eventually("served") { try scene.curl("http://10.96.0.20:9443/").output == "a secret of its own" }
        #expect(try scene.curl("https://10.96.0.20:9443/").output == "a secret of its own")
        // Encrypted to the very end.
        #expect(try !inside.stop().contains("secret"))
        // Each worker hands its records over by itself, so their order is not the calls'.
        let words = try eventuallyFlows(scene.nodes.enforcer2, 2)
        #expect(Set(words) == ["enforcer", "application"])
        #expect(try scene.nodes.node1.run("curl", "-s", "--max-time", "10", "http://10.244.2.20:443/").status != 0)

        // Verified by name and issuer, if the service says so.
        func verify(_ issuer: ServerCertificate, _ name: String) -> String {
            """
                tlsOnly: true
                verify:
                  serverName: \(name)
                  caBundle: |
            \(issuer.pem.split(separator: "\n").map { "        \($0)" }.joined(separator: "\n"))
            """
        }
        for (what, verification) in [("name", verify(certificate, "other.example")), ("issuer", verify(try ServerCertificate(for: "app.example"), "app.example"))] {
            try scene.service(verification)
            try scene.nodes.eventually("refused") { try scene.curl("http://10.96.0.20:9443/").status != 0 }
            let flow = try scene.nodes.enforcer2.flow({ $0.verdict == "refused" && $0.source.name == "client" }) { _ = try scene.curl("http://10.96.0.20:9443/") }
            #expect(flow.reason == "target-tls-failed", "\(what)")
            #expect(flow.detail?.isEmpty == false, "\(what)")
            #expect(try scene.nodes.enforcer1.flow { $0.traceId == flow.traceId }.reason == "refused-by-peer", "\(what)")
        }
        try scene.service(verify(certificate, "app.example"))
        try scene.nodes.eventually("served") { try scene.curl("http://10.96.0.20:9443/").output == "a secret of its own" }
        #expect(try scene.nodes.client.curl(TwoNodes.v4).status == 0)
    }

    private func eventuallyFlows(_ enforcer: Enforcer, _ count: Int) throws -> [String] {
        var words: [String] = []
        try eventually("recorded") {
            words = try enforcer.flows().filter { $0.service == "/test/own" && $0.verdict == "accepted" }.map(\.encrypted)
            return words.count >= count
        }
        return words
    }

    @Test("readers that are slow cost the enforcers little memory, and get all that was sent to them")
    func slowReaders() throws {
        let scene = try Scene()
        let readers = 6
        let server = try scene.app.start("perl", "-MIO::Socket::INET", "-e", """
            $SIG{PIPE} = $SIG{CHLD} = "IGNORE";
            $s = IO::Socket::INET->new(LocalPort => 443, Listen => 50, ReuseAddr => 1) or die $!;
            while ($c = $s->accept) { if (fork) { close $c; next } print $c "x" x 1000000 for 1 .. 32; exit }
            """)
        try server.waitUntilListening(443)
        try scene.service()
        try scene.inForce { try scene.nodes.client.run("bash", "-c", "exec 3<>/dev/tcp/10.96.0.20/9443; head -c 1 <&3").output == "x" }
        let enforcers = [scene.nodes.enforcer1, scene.nodes.enforcer2]
        let before = try enforcers.map { try $0.residentBytes }

        let directory = try TemporaryDirectory()
        let script = """
            for ((i = 0; i < \(readers); i++)); do exec {fd}<>/dev/tcp/10.96.0.20/9443 || exit 1; all+=($fd); done
            echo open; until [ -e "$1" ]; do sleep 0.05; done; for fd in ${all[@]}; do wc -c <&$fd; done
            """
        let client = try scene.nodes.client.start("bash", "-c", script, "bash", "\(directory.path)/go-on")
        try client.wait("open") { client.outputSoFar == "open\n" }
        try scene.nodes.node1.waitUntilAtRest("eth0")
        for (enforcer, before) in zip(enforcers, before) {
            let grown = try enforcer.residentBytes - before
            // At most what two reads bring is held for each: 512 KiB, where the server has 32 MB to send.
            #expect(grown < readers * 512 << 10, "\(enforcer.node.name) grew by \(grown) bytes")
        }
        try directory.write("go-on", "")
        try scene.nodes.eventually("all read") { client.outputSoFar.split(separator: "\n").count > readers }
        #expect(client.outputSoFar == "open\n" + String(repeating: "32000000\n", count: readers))
    }

    @Test("a server that speaks first is heard before the client says a word, and either side may be done before the other")
    func serverFirst() throws {
        let scene = try Scene()
        // Greets, then counts what it is told until the client is done, and only then answers.
        let server = try scene.app.start("perl", "-MIO::Socket::INET", "-e", """
            $SIG{PIPE} = "IGNORE";
            $s = IO::Socket::INET->new(LocalPort => 443, Listen => 5, ReuseAddr => 1) or die $!;
            while ($c = $s->accept) {
              $c->autoflush(1); print $c "220 ready\\r\\n"; $n = 0;
              if (($mode = <$c>) =~ /done/) { $c->shutdown(1) }
              while (read $c, $b, 65536) { $n += length $b }
              print $c "got $n\\r\\n"; close $c; $| = 1; print $mode =~ /done/ ? "done $n\\n" : "first $n\\n";
            }
            """)
        try server.waitUntilListening(443)
        try scene.service()
        func talk(_ mode: String, to address: String) throws -> ProgramResult {
            try scene.nodes.client.run("perl", "-MIO::Socket::INET", "-e", """
                $c = IO::Socket::INET->new(PeerAddr => "$ARGV[0]", Timeout => 5) or die $!;
                $c->autoflush(1); alarm 20; print scalar <$c>; print $c "$ARGV[1]\\r\\n";
                if ($ARGV[1] eq "done") { print defined <$c> ? "more\\n" : "its end\\n" }
                print $c "x" x 1000000; $c->shutdown(1); print while <$c>;
                """, arguments: [address, mode])
        }
        try scene.inForce { try talk("first", to: "10.96.0.20:9443").output.hasPrefix("220") }
        let first = try talk("first", to: "10.96.0.20:9443")
        #expect(first.output == "220 ready\r\ngot 1000000\r\n", "\(first)")
        // The server is done first: the client hears of its end, and is still heard.
        let done = try talk("done", to: "10.96.0.20:9443")
        #expect(done.output == "220 ready\r\nits end\n", "\(done)")
        try scene.nodes.eventually("heard to the end, but \(server.outputSoFar)") { server.outputSoFar.contains("done 1000000\n") }
        let flow = try scene.nodes.enforcer1.flow { $0.service == "/test/own" && $0.bytesSent == 1_000_006 }
        #expect(flow.encrypted == "enforcer" && flow.reason == nil)
    }
}
