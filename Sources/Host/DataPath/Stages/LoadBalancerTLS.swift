// Client side, `loadBalancer.tls`: the load balancer ends TLS, so the enforcers' session goes inside one to it.

import FlowLog
import Linux
import Policy
import TLSEngine
import TLSOpenSSL

extension Worker {
    /// What a client's sessions to a service's frontends are made from.
    func dialContext(for service: Service, _ unit: UnitState) throws(TLSFailure) -> (any TLSContext)? {
        guard let enforcers = unit.client, let tls = service.loadBalancerTLS else { return unit.client }
        let key = EnvelopeKey(service: ObjectIdentifier(service), unit: unit.number)
        if let known = envelopes[key] { return known }
        let verification: TLSVerification = tls.caBundlePEM.isEmpty
            ? .system(serverName: tls.serverName) : .roots(pem: tls.caBundlePEM, serverName: tls.serverName)
        let outer = try OpenSSLContext(TLSOptions(role: .client, serverName: tls.serverName, verification: verification))
        let context = EnvelopedContext(outer: outer, inner: enforcers, innerWire: innerWire)
        envelopes[key] = context
        return context
    }

    /// The load balancer's part of the handshake failed.
    /// - Returns: true if it was that, and the flow has been refused.
    func loadBalancerFailed(_ slot: ConnectionPointer, _ what: String?) -> Bool {
        guard slot.pointee.side == .client, let context = slot.far.pointee.context, let session = slot.far.pointee.session,
            !context.isEnveloped(session)
        else { return false }
        refuse(slot, .loadBalancerTlsFailed, detail: what ?? "the load balancer ended the handshake")
        return true
    }
}

/// A service and the unit that dials it, under one generation.
struct EnvelopeKey: Hashable {
    let service: ObjectIdentifier
    let unit: UInt32
}
