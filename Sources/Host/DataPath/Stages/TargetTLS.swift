// Server side, `target.tlsOnly`: the application itself speaks only TLS, so this end opens it.

import FlowLog
import Linux
import Policy
import TLSEngine
import TLSOpenSSL

extension Worker {
    func openTargetTLS(_ slot: ConnectionPointer) {
        // What enforcers agreed on is theirs.
        let agreed = slot.pointee.mode == .external ? slot.pointee.tls?.applicationProtocol : nil
        guard let service = slot.pointee.service, let context = targetContext(for: service, agreed) else {
            return refuse(slot, .targetTlsFailed, detail: "target.verify of the service cannot be used; see sallyport services")
        }
        slot.pointee.stage = .targetHandshaking
        timeouts.start(.handshake, slot, now: now, in: slab)
        openSession(slot, slot.far, context, binding: [], ticket: nil)
        targetHandshake(slot)
    }

    func targetHandshake(_ slot: ConnectionPointer) {
        let leg = slot.far
        guard let context = leg.pointee.context, let session = leg.pointee.session else { return refuse(slot, .outOfResources) }
        while true {
            let step = context.handshake(session, wire)
            if !sendWire(leg) { return refuse(slot, .targetTlsFailed, detail: "the application closed the connection in the handshake") }
            switch step {
            case .done: return beginRelay(slot)
            case .needsInput:
                switch receiveWire(leg) {
                case .bytes: continue
                case .nothing: return
                case .end: return refuse(slot, .targetTlsFailed, detail: "the application closed the connection in the handshake")
                case .failed(let code): return refuse(slot, .targetTlsFailed, detail: words(code))
                }
            case .closed, .failed: return refuse(slot, .targetTlsFailed, detail: wire.pointee.failure?.message)
            }
        }
    }

    /// One context for each service, and for each protocol that its clients agreed on with the public port: the application
    /// is offered that, and no other. Made when first needed under a generation.
    private func targetContext(for service: Service, _ applicationProtocol: String?) -> (any TLSContext)? {
        let key = TargetContextKey(service: ObjectIdentifier(service), applicationProtocol: applicationProtocol)
        if let context = targetContexts[key] { return context }
        let verification: TLSVerification = service.verifyCABundlePEM.isEmpty
            ? .none : .roots(pem: service.verifyCABundlePEM, serverName: service.verifyServerName.isEmpty ? nil : service.verifyServerName)
        let options = TLSOptions(
            role: .client, applicationProtocols: applicationProtocol.map { [$0] } ?? [],
            serverName: service.verifyServerName.isEmpty ? nil : service.verifyServerName, verification: verification)
        guard let context = try? OpenSSLContext(options) else { return nil }
        targetContexts[key] = context
        return context
    }
}

struct TargetContextKey: Hashable {
    let service: ObjectIdentifier
    let applicationProtocol: String?
}
