// Use case 3: clients from outside reach a unit through a load balancer, a node port and the enforcer's public port, which
// serves the internal CA's certificate, the service's own, or lets bytes pass.

import Foundation
import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct PublicPortTests {
    @Test("mode InternalCA: clients that trust the bundle are served by name and address, with and without PROXY protocol, plain or TLS behind",
        arguments: [false, true])
    func internalCA(tlsOnly: Bool) throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server", certificate: tlsOnly ? ServerCertificate(for: "app.example") : nil)
        try scene.service("{mode: InternalCA}", target: ", tlsOnly: \(tlsOnly)")
        try scene.served("https", encrypted: "enforcer", trusting: scene.bundle)
        // Who trusts something else is told, and so is the flow log.
        let other = try ServerCertificate(for: "other.example")
        try scene.directory.write("other.pem", other.pem)
        let flow = try scene.enforcer.flow({ $0.verdict == "refused" }) {
            let answer = try scene.curl("https://10.1.0.9:445/", "--cacert", "\(scene.directory.path)/other.pem")
            #expect(answer.status == 60, "\(answer)")
        }
        #expect(flow.reason == "client-tls-failed" && flow.detail?.isEmpty == false && flow.sourceAddress == "10.1.0.50")
    }

    @Test("mode CustomCertificate: the service's own certificate is served, and replaced in use, ECDSA by RSA, with no failed call; rubbish does not take its place", arguments: ["boringssl", "openssl"])
    func customCertificate(engine: String) throws {
        let scene = try PublicScene(settings: "tls: {publicEngine: \(engine)}")
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let first = try ServerCertificate(for: "app.example")
        let second = try ServerCertificate(for: "app.example", isRSA: true)
        try scene.directory.write("tls.pem", first.pem)
        try scene.directory.write("tls.key", first.key, mode: 0o600)
        try scene.directory.write("trusted.pem", first.pem + second.pem)
        let files = "{mode: CustomCertificate, certificate: \"file:\(scene.directory.path)/tls.pem\", key: \"file:\(scene.directory.path)/tls.key\"}"
        try scene.service(files)
        try scene.served("https", encrypted: "enforcer", trusting: "\(scene.directory.path)/trusted.pem", name: "app.example")

        let script = "while :; do curl -sS --max-time 10 --cacert \"$1\" --resolve app.example:445:10.1.0.9 -o /dev/null -w 'answered %{http_code}\\n' https://app.example:445/ 2>&1; sleep 0.02; done"
        let loop = try scene.outside.start("bash", "-c", script, "bash", "\(scene.directory.path)/trusted.pem")
        func presented() throws -> String { try scene.openssl("-servername", "app.example", "-showcerts").output }
        func body(_ pem: String) -> Substring { pem.split(separator: "\n")[2] }
        #expect(try presented().contains(body(first.pem)))
        try scene.directory.write("tls.pem", second.pem)
        try scene.directory.write("tls.key", second.key, mode: 0o600)
        try scene.eventually("replaced") { try presented().contains(body(second.pem)) }
        for version in ["1.2", "1.3"] {
            let answer = try scene.curl(
                "https://app.example:445/", "--resolve", "app.example:445:10.1.0.9", "--cacert", "\(scene.directory.path)/trusted.pem", "--tls-max", version)
            #expect(answer.output == "the secret of a server", "\(version): \(answer)")
        }

        try scene.directory.write("tls.pem", "rubbish")
        try scene.eventually("told") { try scene.enforcer.command("services").output.contains("tls.pem") }
        #expect(try presented().contains(body(second.pem)))
        let calls = loop.outputSoFar.split(separator: "\n")
        try loop.wait("went on") { loop.outputSoFar.split(separator: "\n").count > calls.count + 3 }
        let failed = loop.stop().output.split(separator: "\n").filter { $0 != "answered 200" }
        #expect(failed == [])
    }

    @Test("mode None: bytes pass as they are, whether the client speaks TLS or not, and TLS is opened for it where the unit speaks only that",
        arguments: [false, true])
    func none(tlsOnly: Bool) throws {
        let scene = try PublicScene()
        let certificate = try ServerCertificate(for: "app.example")
        try scene.directory.write("app.pem", certificate.pem)
        try scene.server.nginx(port: 443, body: "the secret of a server", certificate: tlsOnly ? certificate : nil)
        try scene.service("{mode: None}", target: ", tlsOnly: \(tlsOnly)")
        try scene.served("http", encrypted: "no", trusting: scene.bundle)
        if tlsOnly { try scene.served("https", encrypted: "application", trusting: "\(scene.directory.path)/app.pem", name: "app.example") }
    }

    @Test("mode None: what is long arrives whole in both directions at once, also where nobody reads for a while and where a side is done before the other")
    func longTransfers() throws {
        let scene = try PublicScene()
        // Sends back what comes, to the end.
        let server = try scene.server.start("perl", "-MIO::Socket::INET", "-e", """
            $SIG{PIPE} = $SIG{CHLD} = "IGNORE";
            $s = IO::Socket::INET->new(LocalPort => 443, Listen => 50, ReuseAddr => 1) or die $!;
            while ($c = $s->accept) { if (fork) { close $c; next } $c->autoflush(1); print $c $b while sysread $c, $b, 65536; exit }
            """)
        try server.waitUntilListening(443)
        try scene.service("{mode: None}")
        func served() throws -> Bool {
            try scene.outside.run("bash", "-c", "exec 3<>/dev/tcp/10.1.0.9/445 && echo x >&3 && timeout 5 head -c 1 <&3").output == "x"
        }
        try scene.eventually("served", served)

        let readers = 3
        let client = try scene.outside.start("perl", "-MIO::Socket::INET", "-MDigest::SHA", "-e", """
            $| = 1; $SIG{ALRM} = sub { die "overdue" };
            sub block { pack "N*", map { $_ * $_[0] } 1 .. 16384 }
            for $n (1 .. $ARGV[1]) {
              next if fork;
              $c = IO::Socket::INET->new(PeerAddr => "10.1.0.9:445", Timeout => 5) or die $!;
              alarm 60;
              if (!fork) { $c->autoflush(1); print $c block($_) for 1 .. 1000; $c->shutdown(1); exit }
              select undef, undef, undef, 0.02 until -e $ARGV[0];
              $came = Digest::SHA->new(256); $came->add($b) while sysread $c, $b, 1 << 20;
              $went = Digest::SHA->new(256); $went->add(block($_)) for 1 .. 1000;
              print $came->hexdigest eq $went->hexdigest ? "whole\n" : "broken\n"; exit;
            }
            1 while wait > 0;
            """, "\(scene.directory.path)/go-on", "\(readers)")
        #expect(try scene.node2.waitUntilAtRest("eth0") > 1 << 20)
        try scene.directory.write("go-on", "")
        try client.wait("all read") { client.outputSoFar.split(separator: "\n").count == readers }
        #expect(client.outputSoFar == String(repeating: "whole\n", count: readers))
        let flow = try scene.enforcer.flow { $0.verdict == "accepted" && $0.bytesSent == 65_536_000 }
        #expect(flow.bytesReceived == 65_536_000)
    }

    @Test("a unit that wants to know its clients is sent a PROXY header, before TLS where that is opened for it", arguments: ["v1", "v2"], [false, true])
    func targetProxyProtocol(version: String, tlsOnly: Bool) throws {
        let scene = try PublicScene()
        try scene.server.nginx(
            port: 443, body: "you are $proxy_protocol_addr", certificate: tlsOnly ? ServerCertificate(for: "app.example") : nil, takesProxyProtocol: true)
        try scene.service("{mode: InternalCA}", target: ", tlsOnly: \(tlsOnly), proxyProtocol: \(version)")
        for (host, address) in [("10.1.0.9", "10.1.0.50"), ("[fd00:1::9]", "fd00:1::50")] {
            try scene.eventually("told of \(address)") {
                try scene.curl("https://\(host):445/", "--cacert", scene.bundle).output == "you are \(address)"
            }
        }
    }

    @Test("a client certificate that is asked for is verified: good ones are let in, missing and foreign ones are refused with their reason")
    func clientAuthentication() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let good = try ServerCertificate(for: "good.example")
        let bad = try ServerCertificate(for: "good.example")
        for (name, certificate) in [("good", good), ("bad", bad)] {
            try scene.directory.write("\(name).pem", certificate.pem)
            try scene.directory.write("\(name).key", certificate.key)
        }
        let authority = good.pem.split(separator: "\n").map { "        \($0)" }.joined(separator: "\n")
        try scene.service("\n    mode: InternalCA\n    clientAuthentication:\n      caBundle: |\n\(authority)")
        func call(_ name: String) throws -> ProgramResult {
            try scene.curl(
                "https://10.1.0.9:445/", "--cacert", scene.bundle, "--cert", "\(scene.directory.path)/\(name).pem", "--key",
                "\(scene.directory.path)/\(name).key")
        }
        try scene.eventually("served") { try call("good").output == "the secret of a server" }
        for what in ["bad", "missing"] {
            let flow = try scene.enforcer.flow({ $0.verdict == "refused" }) {
                let answer = what == "bad" ? try call("bad") : try scene.curl("https://10.1.0.9:445/", "--cacert", scene.bundle)
                #expect(answer.output.isEmpty, "\(what)")
            }
            #expect(flow.reason == "client-certificate" && flow.sourceAddress == "10.1.0.50", "\(what)")
            #expect(flow.detail?.isEmpty == false, "\(what)")
        }
    }

    @Test("an external network's name is resolved by its TTL, and an address that DNS no longer has is let in for the grace period only")
    func externalNames() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let names = try NameServer(on: scene.node2, of: scene.enforcer, answering: "10.1.0.50")
        try scene.service("{mode: InternalCA}")
        try scene.lets(in: "partner.example")
        func call() throws -> Int32 { try scene.curl("https://10.1.0.9:445/", "--cacert", scene.bundle).status }
        try scene.eventually("served") { try call() == 0 }
        #expect(try scene.enforcer.flow { $0.source.name == "partner" && $0.sourceAddress == "10.1.0.50" }.verdict == "accepted")
        try names.answers("10.1.0.51")
        try scene.eventually("no longer served") { try call() != 0 }
        try names.answers("10.1.0.50")
        try scene.eventually("served again") { try call() == 0 }
    }

    @Test("a client with a name below a network's wildcard that has its address is let in; one that only says so is not; while the name server is silent the first is known, and nobody new", arguments: ["InternalCA", "None"])
    func wildcards(mode: String) throws {
        let scene = try PublicScene()
        for address in ["10.1.0.51/24", "10.1.0.52/24"] { try scene.outside.run("ip", "address", "add", address, "dev", "eth0") }
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let names = try NameServer(
            on: scene.node2, of: scene.enforcer, answering: "10.1.0.50", "fd00:1::50", name: "client.eu.partner.example", grace: "5m")
        try scene.service("{mode: \(mode)}")
        try scene.lets(in: "*.partner.example")
        func call(from address: String) throws -> String {
            let host = address.contains(":") ? "[fd00:1::9]" : "10.1.0.9"
            return try scene.curl("\(mode == "None" ? "http" : "https")://\(host):445/", "--cacert", scene.bundle, "--interface", address).output
        }
        for address in ["10.1.0.50", "fd00:1::50"] {
            try scene.eventually("served \(address)") { try call(from: address) == "the secret of a server" }
            let flow = try scene.enforcer.flow { $0.verdict == "accepted" && $0.sourceAddress == address }
            #expect(flow.source.type == "external-network" && flow.source.name == "partner" && flow.decidedBy?.rule == "public")
        }
        let liar = try scene.enforcer.flow({ $0.verdict == "refused" && $0.sourceAddress == "10.1.0.51" }) {
            let answer = try call(from: "10.1.0.51")
            #expect(answer.isEmpty)
        }
        #expect(liar.reason == "default-reject" && liar.source.type == "unknown" && liar.detail == nil)
        #expect(try scene.enforcer.command("explain", "--from", "/test/server", "--to", "10.1.0.50:80").output.contains("external network /test/partner"))

        names.falls(silent: true)
        defer { names.falls(silent: false) }
        let unknown = try scene.enforcer.flow({ $0.verdict == "refused" && $0.sourceAddress == "10.1.0.52" }) {
            let answer = try call(from: "10.1.0.52")
            #expect(answer.isEmpty)
        }
        #expect(unknown.reason == "default-reject" && unknown.detail == "the names of 10.1.0.52 could not be found out in time")
        #expect(try call(from: "10.1.0.50") == "the secret of a server")
    }

    @Test("a live flow of a client that is let in by wildcard ends when its name is gone and the grace is over; new ones are refused until it is back")
    func wildcardGone() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let names = try NameServer(on: scene.node2, of: scene.enforcer, answering: "10.1.0.50", name: "client.partner.example")
        try scene.service("{mode: None}")
        try scene.lets(in: "*.partner.example")
        func call() throws -> String { try scene.curl("http://10.1.0.9:445/").output }
        try scene.eventually("served") { try call() == "the secret of a server" }
        let live = try LiveFlow(from: scene.outside, to: "10.1.0.9", port: 445)
        #expect(try live.asksAgain() == 2)
        let ended = try scene.enforcer.flow({ $0.reason == "policy-changed" }) {
            try names.answers("10.1.0.51")
            try live.ended()
        }
        #expect(ended.sourceAddress == "10.1.0.50" && ended.verdict == "accepted")
        #expect(try call().isEmpty)
        try names.answers("10.1.0.50")
        try scene.eventually("served again") { try call() == "the secret of a server" }
    }

    @Test("what a Reject rule says of a wildcard holds for whoever may have such a name, until it is known that they have none; who is in a network by address is not asked")
    func rejectedWildcard() throws {
        let scene = try PublicScene()
        try scene.outside.run("ip", "address", "add", "10.1.0.51/24", "dev", "eth0")
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let names = try NameServer(on: scene.node2, of: scene.enforcer, answering: "10.1.0.50", name: "client.good.example")
        names.falls(silent: true)
        defer { names.falls(silent: false) }
        try scene.service("{mode: None}")
        try scene.sallyport.policy("outside", """
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: all, namespace: /test}
            spec: {entries: [0.0.0.0/0], tags: [net=all]}
            ---
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: listed, namespace: /test}
            spec: {entries: [10.1.0.51], tags: [net=all]}
            ---
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: bad, namespace: /test}
            spec: {entries: ["*.bad.example"], tags: [net=bad]}
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: web, namespace: /test}
            spec:
              subject: [["app=web"]]
              incoming:
                - {name: kept-out, action: Reject, object: [["net=bad"]], ports: [tcp/443]}
                - {name: public, action: Allow, object: [["net=all"]], ports: [tcp/443]}
            """)
        func call(from address: String = "10.1.0.50") throws -> String { try scene.curl("http://10.1.0.9:445/", "--interface", address).output }
        try scene.eventually("refused") {
            _ = try call()
            return try scene.enforcer.flows().contains { $0.verdict == "refused" && $0.decidedBy?.rule == "kept-out" }
        }
        let flow = try scene.enforcer.flow { $0.decidedBy?.rule == "kept-out" }
        #expect(flow.reason == "rejected-by-rule" && flow.detail == "the names of 10.1.0.50 could not be found out in time")
        #expect(try call(from: "10.1.0.51") == "the secret of a server")
        names.falls(silent: false)
        try scene.eventually("served") { try call() == "the secret of a server" }
        #expect(try scene.enforcer.flow { $0.verdict == "accepted" && $0.sourceAddress == "10.1.0.50" }.source.name == "all")
    }

    @Test("TLS 1.2 and 1.3 are served, older ones are not; sessions resume; of the application protocols HTTP/1.1 is agreed on", arguments: ["boringssl", "openssl"])
    func versions(engine: String) throws {
        let scene = try PublicScene(settings: "tls: {publicEngine: \(engine)}")
        try scene.server.nginx(port: 443, body: "the secret of a server")
        try scene.service("{mode: InternalCA}")
        try scene.eventually("served") { try scene.curl("https://10.1.0.9:443/", "--cacert", scene.bundle).status == 0 }
        let request = "GET / HTTP/1.0\r\n\r\n"
        for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let ticket = "\(scene.directory.path)/ticket"
            let first = try scene.openssl(option, "-alpn", "h2,http/1.1", "-ign_eof", "-sess_out", ticket, input: request)
            #expect(first.output.contains("New, \(version)") && first.output.contains("ALPN protocol: http/1.1"), "\(first)")
            #expect(first.output.contains("the secret of a server"))
            // What tells the engines apart: OpenSSL prefers the longer key, BoringSSL the cheaper one.
            if version == "TLSv1.2" { #expect(first.output.contains("ECDHE-ECDSA-AES\(engine == "openssl" ? 256 : 128)-GCM"), "\(first)") }
            let again = try scene.openssl(option, "-ign_eof", "-sess_in", ticket, input: request)
            // Tickets for the next two connections, and one for one that is used up (TLS 1.3; of 1.2 there is one, in the handshake).
            let tickets = { (output: String) in output.ranges(of: "New Session Ticket arrived").count }
            #expect(tickets(first.output) == (version == "TLSv1.3" ? 2 : 0) && tickets(again.output) == (version == "TLSv1.3" ? 1 : 0), "\(first) \(again)")
            #expect(again.output.contains("Reused, \(version)") && again.output.contains("the secret of a server"), "\(again)")
        }
        let old = try scene.openssl("-tls1_1", "-cipher", "ALL@SECLEVEL=0")
        #expect(old.status != 0 && !old.output.contains("BEGIN CERTIFICATE"))
    }

    @Test("of the application's protocols the first that the client knows is agreed on, and with the application too; a client that knows none is refused")
    func applicationProtocols() throws {
        let scene = try PublicScene()
        // Answers with the protocol that TLS to itself agreed on, if it is given the chance.
        try scene.server.nginx(port: 443, body: "agreed on $ssl_alpn_protocol", certificate: ServerCertificate(for: "app.example"))
        try scene.service("{mode: InternalCA, applicationProtocols: [other/1, http/1.1]}", target: ", tlsOnly: true")
        try scene.eventually("served") { try scene.curl("https://10.1.0.9:443/", "--cacert", scene.bundle).output == "agreed on http/1.1" }
        let both = try scene.openssl("-alpn", "http/1.1,other/1")
        #expect(both.output.contains("ALPN protocol: other/1"), "\(both)")
        let flow = try scene.enforcer.flow({ $0.reason == "client-tls-failed" }) {
            let none = try scene.openssl("-alpn", "h2")
            #expect(none.status != 0 && none.errors.contains("no application protocol"), "\(none)")
        }
        #expect(flow.detail?.isEmpty == false)
        // Who says nothing of protocols is served, and so is the application that is told nothing.
        #expect(try scene.curl("https://10.1.0.9:443/", "--cacert", scene.bundle, "--no-alpn").output == "agreed on ")
    }

    @Test("garbage, plain HTTP and handshakes cut at every stage are refused on a public port, and reach no application")
    func intruders() throws {
        let scene = try PublicScene(settings: "timeouts: {handshake: 2s}")
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let deliveries = try Deliveries(to: scene.server, port: 443)
        try scene.service("{mode: InternalCA}")
        try scene.eventually("served") { try scene.curl("https://10.1.0.9:443/", "--cacert", scene.bundle).status == 0 }
        let before = try deliveries.count
        let intruder = try Intruder(from: scene.outside, to: "10.1.0.9", port: 445)
        let hello = enforcersClientHello
        let cases: [(what: Comment, bytes: [UInt8], reason: String)] = [
            ("garbage", Array("\u{1}\u{2}garbage".utf8), "client-tls-failed"),
            ("HTTP", Array("GET / HTTP/1.0\r\n\r\n".utf8), "client-tls-failed"),
            ("a ClientHello that never ends", Array(hello.prefix(40)), "handshake-timeout"),
            ("an enforcer's ClientHello and no more", hello, "handshake-timeout"),
        ]
        for (what, bytes, reason) in cases {
            let flow = try scene.enforcer.flow({ $0.verdict == "refused" }) { try intruder.sends(bytes) }
            #expect(flow.reason == reason && flow.sourceAddress == "10.1.0.50", what)
        }
        #expect(try deliveries.count == before)
        // Not allowed: refused before TLS is spoken.
        try scene.sallyport.policy("stranger", """
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: no-more, namespace: /test}
            spec: {subject: [["app=web"]], incoming: [{name: closed, action: Reject, object: [["net=outside"]], ports: [any]}]}
            """)
        var refusal: RecordedFlow?
        try scene.eventually("refused by the rule") {
            // The one in whose handshake the rule came is refused as well, and for another reason.
            _ = try scene.curl("https://10.1.0.9:445/", "--cacert", scene.bundle)
            refusal = try scene.enforcer.flows().first { $0.reason == "rejected-by-rule" }
            return refusal != nil
        }
        let flow = try #require(refusal)
        #expect(flow.decidedBy?.rule == "closed" && flow.tlsVersion == nil && flow.sourceAddress == "10.1.0.50")
    }

    @Test("a client whose handshake is under way when policy forbids it is ended, though live flows are kept")
    func forbiddenInHandshake() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server")
        try scene.sallyport.policy("namespace", """
            apiVersion: sallyport.dev/v1
            kind: Namespace
            metadata: {name: test, namespace: /}
            spec: {defaultAction: {incoming: Reject, outgoing: Reject}, onPolicyChange: Keep}
            """)
        try scene.service("{mode: InternalCA}")
        try scene.eventually("served") { try scene.curl("https://10.1.0.9:445/", "--cacert", scene.bundle).status == 0 }
        try scene.eventually("at rest") { try scene.enforcer.metric("sallyport_live_flows") == 0 }
        let hello = clientHello(offering: "http/1.1").map { String(format: "\\x%02x", $0) }.joined()
        let client = try scene.outside.start("bash", "-c", "exec 3<>/dev/tcp/10.1.0.9/445; printf '\(hello)' >&3; head -c 1 <&3 | wc -c; exec sleep 60")
        try client.wait("had a ServerHello") { client.outputSoFar == "1\n" }
        try scene.sallyport.policy("outside", """
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: web, namespace: /test}
            spec: {subject: [["app=web"]], incoming: [{name: nobody, action: Reject, object: [["net=outside"]], ports: [any]}]}
            """)
        let flow = try scene.enforcer.flow { $0.verdict == "refused" }
        #expect(flow.reason == "policy-changed" && flow.sourceAddress == "10.1.0.50", "\(flow)")
        client.stop()
    }

    @Test("a load balancer's checks of a public port, with TLS and without, keep the server up and reach no application")
    func healthChecks() throws {
        let scene = try PublicScene()
        try scene.server.nginx(port: 443, body: "the secret of a server")
        let deliveries = try Deliveries(to: scene.server, port: 443)
        try scene.service("{mode: InternalCA}", header: "required")
        // LOCAL headers come from the balancer, whom the rules let in no more than anybody.
        try scene.sallyport.policy("no-balancer", """
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: no-balancer, namespace: /test}
            spec: {subject: [["app=web"]], incoming: [{name: closed, action: Reject, object: [["net=balancer"]], ports: [any]}]}
            """)
        try scene.eventually("published") { try scene.enforcer.command("services").output.contains("8003") }
        try scene.balancer.haproxy(port: 8443, """
            frontend checked
              bind :8443
              default_backend checked
            backend checked
              server plain 10.1.0.2:31595 send-proxy-v2 check inter 50ms
              server tls 10.1.0.2:31595 send-proxy-v2 check check-ssl verify none inter 50ms
            """)
        try scene.eventually("checked") { try scene.enforcer.metric("sallyport_health_checks_total") ?? 0 > 20 }
        let refused = try scene.enforcer.flows().filter { $0.verdict != "accepted" }
        #expect(refused.isEmpty, "\(refused)")
        #expect(try deliveries.count == 0)
        // Both servers are up, in turn.
        for _ in 0..<4 { #expect(try scene.curl("https://10.1.0.9:8443/", "--cacert", scene.bundle).output == "the secret of a server") }
    }
}
