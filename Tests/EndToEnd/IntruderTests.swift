// What reaches a protected port and is no enforcer's: it is refused and recorded, and never reaches the application.

import Foundation
import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct IntruderTests {
    /// Two nodes, an intruder on the first who dials server1, and a client who calls server2 all the time.
    private struct Scene {
        let nodes: TwoNodes
        let intruder: Intruder
        let caller: Caller
        private let deliveries: Deliveries

        init() throws {
            nodes = try TwoNodes(settings: "timeouts: {handshake: 2s}")
            intruder = try Intruder(from: nodes.node1, to: "10.244.2.10", port: 80)
            deliveries = try Deliveries(to: nodes.server1, port: 80)
            caller = try Caller(from: nodes.client, url: "http://10.244.2.11/")
        }

        /// Expects that an attempt is refused for `reason`, and looks to the intruder as it should.
        /// - Parameter attempt: Makes it, and tells whether what the intruder saw is right.
        @discardableResult
        func refused(
            _ reason: String, _ detail: String? = nil, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation,
            _ attempt: () throws -> Bool
        ) throws -> RecordedFlow {
            let flow = try nodes.enforcer2.flow({ $0.tcpPeerAddress == "10.1.0.1" }) {
                let isRight = try attempt()
                #expect(isRight, comment, sourceLocation: sourceLocation)
            }
            #expect(flow.verdict == "refused", comment, sourceLocation: sourceLocation)
            #expect(flow.reason == reason, comment, sourceLocation: sourceLocation)
            #expect(flow.side == "server" && flow.destination.name == "server1", comment, sourceLocation: sourceLocation)
            if let detail { #expect(flow.detail?.contains(detail) == true, "\(comment ?? ""): \(flow)", sourceLocation: sourceLocation) }
            return flow
        }

        /// The application has heard nothing, and nobody else has noticed.
        func harmedNothing() throws {
            try caller.stop()
            #expect(try deliveries.count == 0)
            // What is counted is counted.
            #expect(try nodes.client.curl("http://10.244.2.10/").output == "the secret of a server")
            #expect(try deliveries.count == 1)
        }
    }

    // MARK: - No enforcer

    @Test("garbage, plain HTTP, silence and other TLS clients are refused as strangers, with their reason, and reach no application")
    func strangers() throws {
        let scene = try Scene()
        let intruder = scene.intruder
        let refusedBefore = try #require(try scene.nodes.enforcer2.metric("sallyport_refused_total"))

        try scene.refused("default-reject") { try intruder.sends(Array("\u{1}\u{2}garbage".utf8)).output.isEmpty }
        try scene.refused("default-reject") { try scene.nodes.node1.run("curl", "-s", "http://10.244.2.10/").status == 56 }
        // TLS without sallyport/1 is a stranger's.
        for alpn in [nil, "h2"] {
            try scene.refused("default-reject") { try intruder.connects(nil, alpn: alpn).status != 0 }
        }
        // Looks like TLS, and cannot be.
        try scene.refused("default-reject") { try intruder.sends([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]).output.isEmpty }
        // Says nothing, as long as an enforcer may take for its handshake.
        try scene.refused("handshake-timeout") { try intruder.drips([]).output == "0\n" }

        #expect(try scene.nodes.enforcer2.metric("sallyport_refused_total") == refusedBefore + 6)
        try scene.harmedNothing()
    }

    @Test("a ClientHello that drips in is an enforcer's when it is whole, and is waited for as long as a handshake may take")
    func dripped() throws {
        let scene = try Scene()
        let hello = enforcersClientHello
        // Whole: it is answered with a ServerHello, which the intruder leaves unread.
        try scene.refused("handshake-failed", "Connection reset by peer") {
            try scene.intruder.drips(hello).output == "1\n"
        }
        for count in [1, 5, hello.count - 1] {
            try scene.refused("handshake-timeout", nil, "\(count) bytes") {
                try scene.intruder.drips(Array(hello[..<count])).output == "0\n"
            }
        }
        try scene.harmedNothing()
    }

    // MARK: - Certificates

    @Test("a peer of the enforcers' protocol without a certificate, with TLS 1.2, or that ends in the handshake is refused")
    func handshakes() throws {
        let scene = try Scene()
        try scene.refused("certificate-missing", "no certificate") {
            try scene.intruder.connects(nil).errors.contains("SSL alert number 116")
        }
        try scene.refused("peer-not-enforcer") {
            try scene.intruder.connects(nil, options: "-tls1_2").errors.contains("SSL alert number 70")
        }
        try scene.refused("handshake-failed") {
            try !scene.intruder.sends(enforcersClientHello + [21, 3, 3, 0, 2, 2, 10]).output.isEmpty
        }
        try scene.harmedNothing()
    }

    @Test("a peer whose certificate is bad in any way is refused with the alert and recorded with the reason")
    func certificates() throws {
        let scene = try Scene()
        let authority = try scene.nodes.sallyport.testAuthority()
        let flaws: [(CertificateFlaw, reason: String, alert: Int)] = [
            (.expired, "certificate-expired", 45), (.enforcerExpired, "certificate-expired", 45),
            (.notYetValid, "certificate-not-yet-valid", 45), (.enforcerNotYetValid, "certificate-not-yet-valid", 45),
            (.foreignAuthority, "certificate-untrusted", 48), (.enforcerOfAnotherRoot, "certificate-untrusted", 48),
            (.otherTrustDomain, "certificate-untrusted", 48), (.selfSigned, "certificate-untrusted", 48),
            (.selfSignedAlone, "certificate-untrusted", 48), (.leafAlone, "certificate-untrusted", 48),
            (.signedByRootItself, "certificate-untrusted", 48), (.enforcerNotCA, "certificate-untrusted", 48),
            (.leafIsCA, "certificate-untrusted", 48), (.serverOnly, "certificate-untrusted", 48),
            (.noSPIFFEID, "certificate-identity", 42), (.noAlternativeName, "certificate-identity", 42),
            (.twoSPIFFEIDs, "certificate-identity", 42), (.notAUnitsSPIFFEID, "certificate-identity", 42),
            (.noTags, "certificate-identity", 42), (.tagsNotDER, "certificate-identity", 42), (.tagsNotUTF8, "certificate-identity", 42),
            (.tagsOutOfOrder, "certificate-identity", 42), (.tagsOfAnotherUnit, "certificate-identity", 42),
            (.outsideEnforcersNamespaces, "certificate-identity", 42),
        ]
        for (flaw, reason, alert) in flaws {
            let credentials = try authority.issue("/test", "intruder", tags: ["app=client"], flaw: flaw)
            let flow = try scene.refused(reason, nil, "\(flaw)") {
                let answer = try scene.intruder.connects(credentials, sending: goodPreface + request)
                return answer.errors.contains("SSL alert number \(alert)") && answer.output.isEmpty
            }
            #expect(flow.source.name == nil && flow.peerSpiffeId == nil, "\(flaw)")
            #expect(flow.detail?.isEmpty == false, "\(flaw)")
        }
        try scene.harmedNothing()
    }

    // MARK: - Preface

    @Test("a peer with a good certificate and a bad preface is told that it is refused, and recorded by its name")
    func prefaces() throws {
        let scene = try Scene()
        let good = try scene.nodes.sallyport.testAuthority().issue("/test", "intruder", tags: ["app=client"])
        let cases: [(what: Comment, bytes: [UInt8], detail: String)] = [
            ("over the limit", [0xff, 0xff] + [UInt8](repeating: 0, count: 100), "a message of 65535 bytes, over the limit of 4096"),
            ("no protobuf", [0, 2, 0xff, 0xff], "does not decode"),
            ("of another version", [0, 2, 8, 7], "preface version 7; this enforcer speaks 1"),
            ("without an address", [0, 2, 8, 1], "a dialled address of 0 bytes"),
            ("plain HTTP", request, "over the limit of 4096"),
        ]
        for (what, bytes, detail) in cases {
            let flow = try scene.refused("bad-preface", detail, what) {
                let answer = try scene.intruder.connects(good, sending: bytes)
                // Answer{refused{reason: 15, BAD_PREFACE}}
                return Array(answer.output.utf8.suffix(6)) == [0, 4, 0x12, 2, 8, 15]
            }
            #expect(flow.peerSpiffeId == "spiffe://test.example/ns/test/pu/intruder", what)
            #expect(flow.source.name == "intruder", what)
        }
        try scene.refused("bad-preface", "the session ended before a preface", "cut short") {
            try !scene.intruder.connects(good, sending: Array(goodPreface.dropLast(5)), closes: true).output.contains("secret")
        }
        // Begun, or not even begun, and then nothing: a handshake's time for both.
        for bytes in [[], Array(goodPreface.dropLast(5))] as [[UInt8]] {
            try scene.refused("preface-timeout", nil, "\(bytes.count) bytes") {
                try Array(scene.intruder.connects(good, sending: bytes).output.utf8.suffix(6)) == [0, 4, 0x12, 2, 8, 16]
            }
        }
        // Announces the application's TLS, and sends something else.
        try scene.refused("not-a-client-hello") {
            try !scene.intruder.connects(good, sending: preface(mode: 2) + request).output.contains("secret")
        }
        try scene.refused("bad-preface", "mode byte 71 after a deferred preface") {
            try !scene.intruder.connects(good, sending: preface(mode: 3) + request).output.contains("secret")
        }
        try scene.harmedNothing()
    }

    @Test("a peer with a good certificate and a good preface is served: what is refused above is refused for what is bad in it")
    func good() throws {
        let scene = try Scene()
        let good = try scene.nodes.sallyport.testAuthority().issue("/test", "visitor", tags: ["app=client"])
        let answer = try scene.intruder.connects(good, sending: goodPreface + request)
        #expect(answer.output.contains("the secret of a server"), "\(answer)")
        #expect(try scene.nodes.enforcer2.flow { $0.source.name == "visitor" }.verdict == "accepted")
        let other = try scene.nodes.sallyport.testAuthority().issue("/test", "visitor", tags: ["app=stranger"])
        try scene.refused("default-reject") { try !scene.intruder.connects(other, sending: goodPreface + request).output.contains("secret") }
        try scene.caller.stop()
    }

    @Test("a ticket is resumed at the service that gave it, and not at another, under another trust bundle or a later policy")
    func tickets() throws {
        let scene = try Scene()
        let nodes = scene.nodes
        // The same unit, certificate and policy, on another port.
        try nodes.server1.nginx(port: 81, body: "the secret of another")
        try nodes.sallyport.service("other", addresses: "10.96.0.11", port: 9376, target: "app=web", targetPort: 81)
        try nodes.sallyport.allow("app=client", toReach: "app=web", port: 81)
        let visitor = try nodes.sallyport.testAuthority().issue("/test", "visitor", tags: ["app=client"])
        let other = try Intruder(from: nodes.node1, to: "10.244.2.10", port: 81)
        try nodes.eventually("served on the other port") {
            try other.connects(visitor, sending: preface(mode: 1) + request).output.contains("the secret of another")
        }

        let directory = try TemporaryDirectory()
        let ticket = "\(directory.path)/ticket"
        /// Whether a flow that brings the ticket resumes. It is served in either case.
        func isResumed(_ intruder: Intruder, _ secret: String = "the secret of a server", keeping option: String = "-sess_in") throws -> Bool {
            let trace = (1...16).map { UInt8.random(in: $0...255) }
            let answer = try intruder.connects(visitor, sending: preface(mode: 1, trace: trace) + request, options: option, ticket)
            #expect(answer.output.contains(secret), "\(answer)")
            let id = trace.map { String(format: "%02x", $0) }.joined()
            return try nodes.enforcer2.flow { $0.traceId == id }.tlsResumed ?? false
        }
        #expect(try !isResumed(scene.intruder, keeping: "-sess_out"))
        #expect(try isResumed(scene.intruder))
        #expect(try !isResumed(other, "the secret of another"))
        #expect(try isResumed(scene.intruder))

        let generation = try nodes.enforcer2.policyGeneration
        try nodes.sallyport.allow("app=client", toReach: "app=web", port: 82)
        try nodes.eventually("another policy") { try nodes.enforcer2.policyGeneration > generation }
        #expect(try !isResumed(scene.intruder))

        #expect(try !isResumed(scene.intruder, keeping: "-sess_out"))
        #expect(try isResumed(scene.intruder))
        let trust = try nodes.enforcer2.trustGeneration
        try nodes.sallyport.command("ca", "rotate", "--directory", nodes.sallyport.authority)
        try nodes.eventually("another trust bundle") { try nodes.enforcer2.trustGeneration > trust }
        #expect(try !isResumed(scene.intruder))
        try scene.caller.stop()
    }

    private let request = Array("GET / HTTP/1.0\r\n\r\n".utf8)
    private var goodPreface: [UInt8] { preface(mode: 1) }

    /// A Preface for 10.244.2.10:80 behind its length (docs/protocol.md, "Messages"), its fields as protobuf writes them.
    private func preface(mode: UInt8, trace: [UInt8]? = nil) -> [UInt8] {
        let trace = trace ?? (1...16).map { _ in UInt8.random(in: 0...255) }
        let message: [UInt8] =
            [0x08, 1] + [0x12, 4, 10, 244, 2, 10] + [0x18, 80] + [0x2a, 4, 10, 1, 0, 1] + [0x30, 99] + [0x38, mode]
            + [0x42, 16] + trace
        return [0, UInt8(message.count)] + message
    }
}
