// Server side, `publicPort`: clients that are no enforcers, served with the service's own certificate, or as they are.

import FlowLog
import Linux
import Policy
import TLSBoringSSL
import TLSEngine
import TLSOpenSSL

extension Worker {
    /// The first bytes are here, in `partial`, and they are no enforcer's.
    func openPublic(_ slot: ConnectionPointer) {
        slot.pointee.mode = .external
        guard let service = slot.pointee.service, let published = generation?.publicCredentials[service.path] else {
            return refuse(slot, .notReady, detail: "nothing to serve on the public port yet; see sallyport services")
        }
        // A load balancer's own connection is judged once it says something: its check of TLS must not be taken for a refusal.
        if !slot.pointee.isLocal || published.passthrough {
            guard let decision = decideExternal(slot) else { return }
            slot.pointee.decision = decision
            if !decision.allowed { return refuse(slot, decision) }
        }
        if published.passthrough {
            if case .clientHello = ClientHello.look(at: slot.pointee.partial.bytes) { slot.pointee.carriesTLS = true }
            return openTarget(slot)
        }
        let served: PublicContext
        do throws(TLSFailure) {
            served = try publicContext(for: service, published)
        } catch {
            return refuse(slot, .notReady, detail: "the certificate of the public port cannot be used: \(error.message)")
        }
        feedWire(slot)
        slot.pointee.stage = .clientHandshaking
        timeouts.start(.handshake, slot, now: now, in: slab)
        openSession(slot, slot.near, served.context, binding: served.binding, ticket: nil)
        clientHandshake(slot)
    }

    func clientHandshake(_ slot: ConnectionPointer) {
        let leg = slot.near
        guard let context = leg.pointee.context, let session = leg.pointee.session else { return refuse(slot, .outOfResources) }
        while true {
            let step = context.handshake(session, wire)
            if !sendWire(leg) { return clientLeft(slot, "the client closed the connection in the handshake") }
            switch step {
            case .done:
                slot.pointee.tls = context.details(session)
                slot.pointee.stage = .awaitingClient
                if !slot.pointee.isLocal { timeouts.start(.sniff, slot, now: now, in: slab) }
                return awaitClient(slot)
            case .needsInput:
                switch receiveWire(leg) {
                case .bytes: continue
                case .nothing: return
                case .end: return clientLeft(slot, "the client closed the connection in the handshake")
                case .failed(let code): return clientLeft(slot, words(code))
                }
            case .closed, .failed: return clientHandshakeFailed(slot)
            }
        }
    }

    /// A load balancer that looks at TLS may leave as soon as it has seen enough.
    private func clientLeft(_ slot: ConnectionPointer, _ what: String) {
        slot.pointee.isLocal ? healthCheck(slot) : refuse(slot, .clientTlsFailed, detail: what)
    }

    private func clientHandshakeFailed(_ slot: ConnectionPointer) {
        let failure = wire.pointee.failure
        wire.pointee.failure = nil
        switch failure?.kind {
        case .noCertificate: refuse(slot, .clientCertificate, detail: "the client showed no certificate")
        case .certificateRefused: refuse(slot, .clientCertificate, detail: failure?.message)
        case .notTLS: refuse(slot, .clientTlsFailed, detail: "the public port serves TLS, and the client does not speak it")
        default: refuse(slot, .clientTlsFailed, detail: failure?.message)
        }
    }

    /// The session stands. The application hears of the client with its first bytes, or after as long as it takes to tell
    /// that the server is to begin; of a load balancer that only looked at the handshake it does not hear.
    func awaitClient(_ slot: ConnectionPointer) {
        switch readLeg(slot, slot.near, limit: 64 * 1024) {
        case .nothing: return
        case .ended, .truncated: return healthCheck(slot)
        case .failed(let what): return clientLeft(slot, what)
        case .bytes(let count): slot.pointee.partial.append(plain, count)
        }
        if slot.pointee.decision == nil {
            guard let decision = decideExternal(slot) else { return }
            slot.pointee.decision = decision
            if !decision.allowed { return refuse(slot, decision) }
        }
        openTarget(slot)
    }

    /// Gives the TLS library what was held while it was looked at.
    private func feedWire(_ slot: ConnectionPointer) {
        let held = slot.pointee.partial.bytes
        if let base = held.baseAddress { wire.pointee.input.update(from: base, count: held.count) }
        wire.pointee.inputStart = 0
        wire.pointee.inputEnd = held.count
        slot.pointee.partial.free()
    }

    /// One context for each service and certificate.
    private func publicContext(for service: Service, _ published: PublicCredentials) throws(TLSFailure) -> PublicContext {
        if let known = publicContexts[service.path], known.credentials == published, known.service === service { return known }
        let authenticates = !service.clientCABundlePEM.isEmpty
        let byOpenSSL = authenticates || configuration.publicEngine == .openSSL
        let options = TLSOptions(
            role: .server, chain: published.chain, privateKey: published.privateKey,
            applicationProtocols: service.applicationProtocols.isEmpty ? ["http/1.1"] : service.applicationProtocols,
            requiresApplicationProtocol: !service.applicationProtocols.isEmpty,
            verification: authenticates ? .roots(pem: service.clientCABundlePEM, serverName: nil) : .none, allowsTLS12: true,
            ticketKey: byOpenSSL ? ticketKeys.opensslClients : ticketKeys.clients, ticketsPerHandshake: 2)
        let context: any TLSContext = byOpenSSL ? try OpenSSLContext(options) : try BoringContext(options)
        let served = PublicContext(service: service, credentials: published, context: context)
        publicContexts[service.path] = served
        return served
    }
}

/// What serves one public port, as long as service and certificate are the same.
struct PublicContext {
    let service: Service
    let credentials: PublicCredentials
    let context: any TLSContext
    /// Tickets are good for this service, this certificate and these client CAs, on any worker.
    let binding: [UInt8]

    init(service: Service, credentials: PublicCredentials, context: any TLSContext) {
        self.service = service
        self.credentials = credentials
        self.context = context
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ bytes: some Sequence<UInt8>) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
        mix(service.path.utf8)
        mix(credentials.chain.first ?? [])
        mix(service.clientCABundlePEM.utf8)
        binding = withUnsafeBytes(of: hash) { Array($0) }
    }
}
