// Server side, behind the handshake: hear what the flow is, decide, and only then dial the application.

import FlowLog
import Identity
import Linux
import Policy
import TLSEngine

extension Worker {
    func awaitPreface(_ slot: ConnectionPointer) {
        slot.pointee.stage = .awaitingPreface
        // The handshake's deadline holds for the preface too: it comes in the same flight.
        readPreface(slot)
    }

    func readPreface(_ slot: ConnectionPointer) {
        while true {
            switch readRecord(slot, slot.near) {
            case .nothing: return
            case .ended: return refuse(slot, .badPreface, detail: "the session ended before a preface")
            case .truncated: return refuse(slot, .badPreface, detail: "the connection ended before a preface")
            case .failed(let what): return sessionFailed(slot, what)
            case .bytes(let count): slot.pointee.partial.append(plain, count)
            }
            switch EnforcerProtocol.parse(Preface.self, slot.pointee.partial.bytes) {
            case .incomplete:
                if slot.near.pointee.ended { return refuse(slot, .badPreface, detail: "the session ended before a preface") }
            case .malformed(let what): return refuse(slot, .badPreface, detail: what)
            case .message(let preface, let length):
                slot.pointee.partial.removeFirst(length)
                if let what = EnforcerProtocol.problem(in: preface) { return refuse(slot, .badPreface, detail: what) }
                return take(preface, slot)
            }
        }
    }

    /// The session broke before a preface: often the client's own verdict on us, sent as an alert.
    private func sessionFailed(_ slot: ConnectionPointer, _ what: String) {
        if case .alert(let code) = wire.pointee.failure?.kind {
            return refuse(slot, reason(alert: code), detail: "the client's enforcer ended the session: \(what)")
        }
        refuse(slot, .badPreface, detail: what)
    }

    private func take(_ preface: Preface, _ slot: ConnectionPointer) {
        guard let mode = FlowMode(rawValue: UInt8(truncatingIfNeeded: preface.mode.rawValue)) else { return refuse(slot, .badPreface) }
        slot.pointee.mode = mode
        slot.pointee.traceHigh = preface.traceID.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        slot.pointee.traceLow = preface.traceID.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        // Told by an authenticated enforcer, for the flow log; policy goes by the certificate.
        // A PROXY header says what the load balancer saw, and is nearer to the truth.
        if slot.pointee.proxyVersion == 0, let client = IPAddress(bytes: preface.clientAddress) {
            slot.pointee.source = SocketAddress(client, UInt16(truncatingIfNeeded: preface.clientPort))
        }
        if let dialled = IPAddress(bytes: preface.dialledAddress) {
            slot.pointee.dialled = SocketAddress(dialled, UInt16(truncatingIfNeeded: preface.dialledPort))
        }
        guard let policy = slot.pointee.unit?.policy, let peer = slot.pointee.peer else { return refuse(slot, .notReady) }
        let target = slot.pointee.target.port
        let services = policy.services(targetPort: target)
        slot.pointee.service = services.first { $0.path == preface.service } ?? services.first
        let decision = policy.decide(.incoming, peer: peer.tags, ports: incomingPorts(slot, policy))
        slot.pointee.decision = decision
        if !decision.allowed { return refuse(slot, decision) }
        if !takeRestOfFlight(slot) { return }
        proceed(slot)
    }

    /// The ports that rules for what comes in may name. The dialled one counts only if one of the unit's services is really
    /// reached on it: a client cannot choose the rule that lets it in.
    func incomingPorts(_ slot: ConnectionPointer, _ policy: UnitPolicy) -> FlowPorts {
        let target = slot.pointee.target.port
        // Whether a load balancer was in between or not, this is the port that the service is known by.
        if slot.pointee.isPublic, let service = slot.pointee.service { return FlowPorts(target: target, dialled: service.port) }
        let dialled = slot.pointee.dialled.port
        return FlowPorts(target: target, dialled: policy.services(targetPort: target).contains { $0.port == dialled } ? dialled : target)
    }

    /// What came behind the preface in the same read is still in the wire, which others need now.
    /// - Returns: false if the flow has ended.
    private func takeRestOfFlight(_ slot: ConnectionPointer) -> Bool {
        if wire.pointee.inputStart == wire.pointee.inputEnd { return true }
        switch readLeg(slot, slot.near, limit: 64 * 1024) {
        case .bytes(let count): slot.pointee.partial.append(plain, count)
        case .nothing, .ended: break
        case .truncated, .failed:
            end(slot, .resetBySource, reset: true)
            return false
        }
        return true
    }

    /// Allowed. Inner TLS must first show its ClientHello whole; everything else goes to the application now.
    private func proceed(_ slot: ConnectionPointer) {
        switch slot.pointee.mode {
        case .innerTLS: if hasWholeHello(slot) { openTarget(slot) }
        case .deferred:
            if slot.pointee.service?.tlsOnly == true {
                slot.pointee.stage = .awaitingMode
                // Nobody is kept waiting: the client may take its time as it might with the application itself.
                timeouts.stop(slot, in: slab)
                return slot.pointee.partial.isEmpty ? () : modeKnown(slot)
            }
            if slot.pointee.partial.isEmpty || heardMode(slot) { openTarget(slot) }
        case .wrapped, .external: openTarget(slot)
        }
    }

    /// Inner TLS: whether the ClientHello that must come inside the session is there; refuses what is none.
    private func hasWholeHello(_ slot: ConnectionPointer) -> Bool {
        switch ClientHello.look(at: slot.pointee.partial.bytes) {
        case .clientHello: return true
        case .notTLS, .malformed:
            refuse(slot, .notAClientHello, detail: "the preface announced the application's TLS, and something else came")
        case .incomplete:
            // The client's enforcer sends it whole, in the preface's flight; it may still arrive in pieces.
            slot.pointee.stage = .awaitingHello
            awaitHello(slot)
            return false
        }
        return false
    }

    func awaitHello(_ slot: ConnectionPointer) {
        while slot.pointee.isLive {
            switch readLeg(slot, slot.near, limit: 64 * 1024) {
            case .nothing: return
            case .ended, .truncated: return refuse(slot, .notAClientHello, detail: "the session ended inside the ClientHello")
            case .failed(let what): return refuse(slot, .notAClientHello, detail: what)
            case .bytes(let count): slot.pointee.partial.append(plain, count)
            }
            switch ClientHello.look(at: slot.pointee.partial.bytes) {
            case .incomplete: continue
            case .clientHello: return openTarget(slot)
            case .notTLS, .malformed: return refuse(slot, .notAClientHello, detail: "the preface announced the application's TLS, and something else came")
            }
        }
    }

    func awaitMode(_ slot: ConnectionPointer) {
        switch readLeg(slot, slot.near, limit: 64 * 1024) {
        case .nothing: return
        case .ended: return openTarget(slot)
        case .truncated, .failed: return end(slot, .resetBySource, reset: true)
        case .bytes(let count):
            slot.pointee.partial.append(plain, count)
            modeKnown(slot)
        }
    }

    private func modeKnown(_ slot: ConnectionPointer) {
        if heardMode(slot) { proceed(slot) }
    }

    /// Mode `deferred`: takes the byte that tells the mode from the front of `partial`.
    /// - Returns: false if the flow has ended.
    func heardMode(_ slot: ConnectionPointer) -> Bool {
        guard let marker = slot.pointee.partial.bytes.first else { return true }
        guard let mode = FlowMode(rawValue: marker), mode == .wrapped || mode == .innerTLS else {
            refuse(slot, .badPreface, detail: "mode byte \(marker) after a deferred preface; 1 or 2 is right")
            return false
        }
        slot.pointee.partial.removeFirst(1)
        slot.pointee.mode = mode
        return true
    }

    /// Tells the client's enforcer that the application has been reached.
    /// - Returns: false if the connection is gone.
    func sendAnswer(_ slot: ConnectionPointer) -> Bool {
        slot.pointee.answered = true
        guard let context = slot.near.pointee.context, let session = slot.near.pointee.session,
            case .done = context.write(session, wire, from: acceptedAnswer, count: acceptedAnswer.count)
        else { return false }
        // Inner TLS: this side's session has carried all it will (docs/protocol.md, "Inner TLS").
        // Otherwise it waits a moment for what the application says first.
        return slot.pointee.mode == .innerTLS ? closeSession(slot.near) : sendWire(slot.near, moreFollows: true)
    }
}

/// `Answer{accepted{}}`, always the same bytes.
private let acceptedAnswer: [UInt8] = EnforcerProtocol.frame(Answer.with { $0.accepted = .init() }) ?? []
