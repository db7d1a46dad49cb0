// Both engines: handshakes, tickets and their bindings, close_notify with raw bytes behind it.

import FoundationEssentials
import Identity
import Support
import TLSBoringSSL
import TLSEngine
import TLSOpenSSL
import Testing

private let key = [UInt8](repeating: 7, count: 48)

private func pemDocument(_ der: [UInt8]) -> String {
    "-----BEGIN CERTIFICATE-----\n\(Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed]))\n-----END CERTIFICATE-----\n"
}

private struct Parties {
    let authority: TestAuthority
    let client: BoringContext
    let server: BoringContext

    init(protocolName: String = "sallyport/1") throws {
        authority = try TestAuthority()
        let one = try authority.issue("/demo", "client")
        let two = try authority.issue("/demo", "server")
        client = try BoringContext(
            TLSOptions(
                role: .client, chain: one.chain, privateKey: one.privateKey, applicationProtocols: [protocolName], verification: .byThread,
                ticketKey: key))
        server = try BoringContext(
            TLSOptions(
                role: .server, chain: two.chain, privateKey: two.privateKey, applicationProtocols: ["sallyport/1"],
                requiresApplicationProtocol: true, verification: .byThread, ticketKey: key))
    }

    func verifier() throws -> PeerVerifier {
        PeerVerifier(trust: try TrustPool(generation: 1, trustDomain: authority.trustDomain, roots: try authority.roots))
    }
}

@Suite struct EngineTests {
    @Test("two enforcers' sessions agree on TLS 1.3 and each sees the other's chain")
    func mutual() throws {
        let parties = try Parties()
        let client = try SessionEnd(parties.client, verifier: try parties.verifier())
        let server = try SessionEnd(parties.server, verifier: try parties.verifier())
        let steps = handshake(client, server)
        guard case .done = steps.client, case .done = steps.server else {
            Issue.record("\(steps)")
            return
        }
        #expect(parties.client.details(client.session).version == 0x0304)
        #expect(parties.server.peerChain(server.session).count == 2)
        #expect(client.write(Array("hello".utf8)) == .done(5))
        server.receive(from: client)
        #expect(server.read().1 == Array("hello".utf8))
    }

    /// A first session whose ticket the client keeps.
    private func ticket(_ parties: Parties, binding: [UInt8]) throws -> TLSTicket {
        let client = try SessionEnd(parties.client)
        let server = try SessionEnd(parties.server, binding: binding)
        _ = handshake(client, server)
        _ = server.write([1])
        client.receive(from: server)
        _ = client.read()
        return try #require(client.wire.pointee.receivedTicket)
    }

    @Test("a ticket is resumed under the binding it was given under, and under no other", arguments: [[1, 2, 3], [1, 2, 4], []] as [[UInt8]])
    func bindings(binding: [UInt8]) throws {
        let parties = try Parties()
        let kept = try ticket(parties, binding: [1, 2, 3])
        let client = try SessionEnd(parties.client, ticket: kept)
        let server = try SessionEnd(parties.server, binding: binding)
        _ = handshake(client, server)
        #expect(parties.server.details(server.session).resumed == (binding == [1, 2, 3]))
        // Whoever resumed still shows the chain it once proved.
        #expect(parties.server.peerChain(server.session).count == 2)
    }

    @Test("a client that offers another protocol is refused in the handshake")
    func otherProtocol() throws {
        let parties = try Parties(protocolName: "h2")
        let client = try SessionEnd(parties.client)
        let server = try SessionEnd(parties.server)
        let steps = handshake(client, server)
        #expect(steps.server == .failed)
        #expect(server.wire.pointee.failure?.kind == .noApplicationProtocol)
        #expect(client.wire.pointee.failure?.kind == .alert(120))
    }

    @Test("a chain that the thread refuses fails the handshake with its alert")
    func refusedChain() throws {
        let parties = try Parties()
        let stranger = try Parties()
        let client = try SessionEnd(parties.client, verifier: try stranger.verifier())
        let server = try SessionEnd(parties.server)
        let steps = handshake(client, server)
        #expect(steps.client == .failed)
        #expect(client.wire.pointee.failure?.kind == .certificateRefused)
        #expect(server.wire.pointee.failure?.kind == .alert(42))
    }

    @Test("plain HTTP on the encrypted port is told from TLS")
    func plainHTTP() throws {
        let parties = try Parties()
        let server = try SessionEnd(parties.server)
        let request = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        server.wire.pointee.input.update(from: request, count: request.count)
        server.wire.pointee.inputEnd = request.count
        #expect(parties.server.handshake(server.session, server.wire) == .failed)
        #expect(server.wire.pointee.failure?.kind == .notTLS)
    }

    @Test("raw bytes behind a close_notify stay in the wire, every one of them")
    func rawBehindClose() throws {
        let parties = try Parties()
        let client = try SessionEnd(parties.client)
        let server = try SessionEnd(parties.server)
        _ = handshake(client, server)
        _ = client.write(Array("last".utf8))
        parties.client.closeNotify(client.session, client.wire)
        server.receive(from: client)
        let raw = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        (server.wire.pointee.input + server.wire.pointee.inputEnd).update(from: raw, count: raw.count)
        server.wire.pointee.inputEnd += raw.count
        #expect(server.read().1 == Array("last".utf8))
        #expect(server.read().0 == .closed)
        let left = UnsafeBufferPointer(
            start: server.wire.pointee.input + server.wire.pointee.inputStart, count: server.wire.pointee.inputEnd - server.wire.pointee.inputStart)
        #expect(Array(left) == raw)
    }

    @Test("a session dripped byte by byte comes to the same")
    func dripped() throws {
        let parties = try Parties()
        let client = try SessionEnd(parties.client)
        let server = try SessionEnd(parties.server)
        _ = handshake(client, server)
        _ = client.write([UInt8](repeating: 9, count: 300))
        let bytes = Array(UnsafeBufferPointer(start: client.wire.pointee.output, count: client.wire.pointee.outputCount))
        var read: [UInt8] = []
        for byte in bytes {
            server.wire.pointee.input[0] = byte
            server.wire.pointee.inputStart = 0
            server.wire.pointee.inputEnd = 1
            let (step, got) = server.read()
            if case .done = step { read += got } else { #expect(step == .needsInput) }
        }
        #expect(read == [UInt8](repeating: 9, count: 300))
    }

    @Test("OpenSSL opens a session to a server of the other engine, in one process")
    func bothEngines() throws {
        let authority = try TestAuthority()
        let identity = try authority.issue("/demo", "server")
        let server = try SessionEnd(
            try BoringContext(TLSOptions(role: .server, chain: identity.chain, privateKey: identity.privateKey, verification: .none)))
        let client = try SessionEnd(try OpenSSLContext(TLSOptions(role: .client, verification: .none)))
        let steps = handshake(client, server)
        guard case .done = steps.client, case .done = steps.server else {
            Issue.record("\(steps) \(String(describing: client.wire.pointee.failure))")
            return
        }
        #expect(client.write([1, 2, 3]) == .done(3))
        server.receive(from: client)
        #expect(server.read().1 == [1, 2, 3])
    }

    /// A server of either engine, for clients that are no enforcers.
    private func publicServer(_ engine: String, protocols: [String] = [], required: Bool = false) throws -> SessionEnd {
        let identity = try TestAuthority().issue("/demo", "server")
        let options = TLSOptions(
            role: .server, chain: identity.chain, privateKey: identity.privateKey, applicationProtocols: protocols,
            requiresApplicationProtocol: required, verification: .none, allowsTLS12: true)
        return try SessionEnd(engine == "OpenSSL" ? try OpenSSLContext(options) : try BoringContext(options))
    }

    @Test("what a read left of a record comes with the next, though the wire is drained", arguments: ["OpenSSL", "BoringSSL"])
    func heldByLibrary(engine: String) throws {
        let server = try publicServer(engine)
        let client = try SessionEnd(try OpenSSLContext(TLSOptions(role: .client, verification: .none)))
        _ = handshake(client, server)
        #expect(client.write([1, 2, 3, 4, 5]) == .done(5))
        server.receive(from: client)
        #expect(server.read(capacity: 2).1 == [1, 2])
        #expect(server.read(capacity: 2).1 == [3, 4])
        #expect(server.read(capacity: 2).1 == [5])
        #expect(server.read(capacity: 2).0 == .needsInput)
    }

    @Test("of the application protocols the server's preference decides, and one that knows none of the client's may serve it all the same", arguments: ["OpenSSL", "BoringSSL"])
    func protocolChoice(engine: String) throws {
        for (offered, required, chosen) in [(["b", "a"], true, "a"), (["c"], false, nil), ([], true, nil)] as [([String], Bool, String?)] {
            let server = try publicServer(engine, protocols: ["a", "b"], required: required)
            let client = try SessionEnd(try OpenSSLContext(TLSOptions(role: .client, applicationProtocols: offered, verification: .none)))
            let steps = handshake(client, server)
            #expect(steps.client.isDone && steps.server.isDone, "\(offered)")
            #expect(server.context.details(server.session).applicationProtocol == chosen)
            #expect(client.context.details(client.session).applicationProtocol == chosen)
        }
        let server = try publicServer(engine, protocols: ["a", "b"], required: true)
        let client = try SessionEnd(try OpenSSLContext(TLSOptions(role: .client, applicationProtocols: ["c"], verification: .none)))
        let steps = handshake(client, server)
        #expect(steps.server == .failed && steps.client == .failed)
        #expect(client.wire.pointee.failure?.kind == .alert(120))
    }

    @Test("a ClientHello of TLS 1.1 is told from what is no TLS", arguments: ["OpenSSL", "BoringSSL"])
    func oldVersion(engine: String) throws {
        // RFC 4346, 7.4.1.2: version 3.2, random, no session, one cipher suite (TLS_RSA_WITH_AES_128_CBC_SHA), no compression.
        let body: [UInt8] = [3, 2] + [UInt8](repeating: 5, count: 32) + [0, 0, 2, 0, 0x2f, 1, 0]
        let message: [UInt8] = [1, 0, 0, UInt8(body.count)] + body
        let hello: [UInt8] = [22, 3, 1, 0, UInt8(message.count)] + message
        let server = try publicServer(engine)
        server.wire.pointee.input.update(from: hello, count: hello.count)
        server.wire.pointee.inputEnd = hello.count
        #expect(server.context.handshake(server.session, server.wire) == .failed)
        #expect(server.wire.pointee.failure?.kind == .unsupportedVersion)
    }

    @Test("one session inside another: whoever ends the outer one has cut the inner one, and is not taken for its end", arguments: [false, true])
    func enveloped(endsInner: Bool) throws {
        let authority = try TestAuthority()
        let identity = try authority.issue("/demo", "server")
        func server() throws -> SessionEnd {
            try SessionEnd(try BoringContext(TLSOptions(role: .server, chain: identity.chain, privateKey: identity.privateKey, verification: .none)))
        }
        let (balancer, enforcer) = (try server(), try server())
        let innerWire = TLSWire.make()
        innerWire.pointee.verifyPeer = { _ in .accepted }
        let client = try SessionEnd(EnvelopedContext(
            outer: try OpenSSLContext(TLSOptions(role: .client, verification: .none)),
            inner: try BoringContext(TLSOptions(role: .client, verification: .byThread)), innerWire: innerWire))
        /// What the load balancer has received goes on to the enforcer, and the enforcer's answer back.
        func forward(_ work: () -> TLSStep) -> TLSStep {
            var bytes: [UInt8] = []
            while case (.done, let more) = balancer.read() { bytes += more }
            enforcer.wire.pointee.input.update(from: bytes, count: bytes.count)
            enforcer.wire.pointee.inputStart = 0
            enforcer.wire.pointee.inputEnd = bytes.count
            let step = work()
            _ = balancer.write(Array(UnsafeBufferPointer(start: enforcer.wire.pointee.output, count: enforcer.wire.pointee.outputCount)))
            enforcer.wire.pointee.outputCount = 0
            client.receive(from: balancer)
            return step
        }
        func pass(_ work: () -> TLSStep) -> TLSStep {
            balancer.receive(from: client)
            return forward(work)
        }
        var outer = TLSStep.needsInput
        var inner = TLSStep.needsInput
        for _ in 0..<8 where inner == .needsInput {
            inner = client.context.handshake(client.session, client.wire)
            if outer == .needsInput {
                balancer.receive(from: client)
                outer = balancer.context.handshake(balancer.session, balancer.wire)
                // The inner ClientHello comes right behind the client's Finished.
                if outer.isDone { _ = forward { enforcer.context.handshake(enforcer.session, enforcer.wire) } } else { client.receive(from: balancer) }
            } else {
                _ = pass { enforcer.context.handshake(enforcer.session, enforcer.wire) }
            }
        }
        #expect(inner.isDone && outer.isDone)
        #expect(client.write([1, 2, 3]) == .done(3))
        var read: [UInt8] = []
        _ = pass {
            // What the client's handshake had left to say may come before.
            if !enforcer.context.handshake(enforcer.session, enforcer.wire).isDone { return .failed }
            read = enforcer.read().1
            return enforcer.write([4, 5])
        }
        #expect(read == [1, 2, 3])
        #expect(client.read().1 == [4, 5])

        if endsInner {
            _ = pass {
                enforcer.context.closeNotify(enforcer.session, enforcer.wire)
                return .done(0)
            }
            #expect(client.read().0 == .closed)
        } else {
            balancer.context.closeNotify(balancer.session, balancer.wire)
            client.receive(from: balancer)
            #expect(client.read().0 == .failed)
            #expect(client.wire.pointee.failure?.kind == .truncated)
        }
    }

    @Test("OpenSSL refuses a server that its bundle of roots does not vouch for")
    func pinned() throws {
        let authority = try TestAuthority()
        let identity = try authority.issue("/demo", "server")
        #expect(throws: TLSFailure.self) {
            try OpenSSLContext(TLSOptions(role: .client, verification: .roots(pem: "no certificate", serverName: nil)))
        }
        let other = try TestAuthority()
        let pem = pemDocument(try other.roots[0])
        let server = try SessionEnd(
            try BoringContext(TLSOptions(role: .server, chain: identity.chain, privateKey: identity.privateKey, verification: .none)))
        let client = try SessionEnd(try OpenSSLContext(TLSOptions(role: .client, verification: .roots(pem: pem, serverName: nil))))
        #expect(handshake(client, server).client == .failed)
        #expect(client.wire.pointee.failure?.kind == .certificateRefused)
    }
}
