// The enforcers' handshake, on either side, up to an identity that is verified.

import FlowLog
import Identity
import Linux
import Policy
import TLSEngine

extension Worker {
    /// Goes on with the handshake on the enforcer's leg. What the leg has received is read here, or is in
    /// the wire already when the first bytes were looked at before.
    func handshake(_ slot: ConnectionPointer) {
        let leg = slot.enforcerLeg
        guard let context = leg.pointee.context, let session = leg.pointee.session else { return refuse(slot, .outOfResources) }
        while true {
            let step = context.handshake(session, wire)
            // Behind the last flight comes the preface, or the answer: into one packet with it.
            if !sendWire(leg, moreFollows: step.isDone) { return end(slot, .resetByDestination, reset: true) }
            switch step {
            case .done: return handshakeDone(slot, context, session)
            case .needsInput:
                switch receiveWire(leg) {
                case .bytes: continue
                case .nothing: return
                case .end:
                    let what = "the peer closed the connection in the handshake"
                    return loadBalancerFailed(slot, what) ? () : refuse(slot, .handshakeFailed, detail: what)
                case .failed(let code): return loadBalancerFailed(slot, words(code)) ? () : refuse(slot, .handshakeFailed, detail: words(code))
                }
            case .closed, .failed: return loadBalancerFailed(slot, wire.pointee.failure?.message) ? () : handshakeFailed(slot)
            }
        }
    }

    private func handshakeDone(_ slot: ConnectionPointer, _ context: any TLSContext, _ session: TLSHandle) {
        let details = context.details(session)
        slot.pointee.tls = details
        counters.handshakes.wrappingAdd(1, ordering: .relaxed)
        if details.resumed {
            counters.resumed.wrappingAdd(1, ordering: .relaxed)
            // A ticket proves what the peer once showed; whether that is still good is asked again.
            _ = verify(context.peerChain(session))
        }
        guard let identity = verified else {
            return refuse(slot, reason(verificationError), detail: verificationError.map { "\($0)" })
        }
        verified = nil
        slot.pointee.peer = known(identity)
        slot.pointee.side == .client ? openFlow(slot) : awaitPreface(slot)
    }

    private func handshakeFailed(_ slot: ConnectionPointer) {
        let failure = wire.pointee.failure
        wire.pointee.failure = nil
        switch failure?.kind {
        case .certificateRefused: refuse(slot, reason(verificationError), detail: verificationError.map { "\($0)" })
        case .noCertificate: refuse(slot, .certificateMissing, detail: "the peer showed no certificate")
        case .notTLS, .unsupportedVersion: refuse(slot, .peerNotEnforcer, detail: "what answered is not an enforcer: \(failure?.message ?? "")")
        case .noApplicationProtocol: refuse(slot, .peerNotEnforcer, detail: "the peer does not speak sallyport/1")
        case .alert(let code): refuse(slot, reason(alert: code), detail: "the peer refused this unit's certificate or session: \(failure?.message ?? "")")
        case .truncated, .other, nil: refuse(slot, .handshakeFailed, detail: failure?.message)
        }
    }

    private func reason(_ error: IdentityError?) -> FlowReason {
        error?.reason ?? .certificateUntrusted
    }

    /// What an alert says of this side's certificate (RFC 8446, 6.2).
    func reason(alert: UInt8) -> FlowReason {
        switch alert {
        // access_denied: the peer's policy, not our certificate.
        case 49: .refusedByPeer
        case 45: .certificateExpired
        case 48: .certificateUntrusted
        case 42, 43, 46: .certificateIdentity
        case 116: .certificateMissing
        case 120: .peerNotEnforcer
        default: .handshakeFailed
        }
    }
}

extension IdentityError {
    /// The alert that tells the peer (RFC 8446, 6.2).
    var alert: UInt8 {
        switch self {
        case .expired, .notYetValid: 45  // certificate_expired
        case .untrusted: 48  // unknown_ca
        case .identity: 42  // bad_certificate
        case .missing: 116  // certificate_required
        }
    }
}
