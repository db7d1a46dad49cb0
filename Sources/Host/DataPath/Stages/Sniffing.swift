// Server side, first step: is it an enforcer that connects, or somebody else? Nothing is decided yet,
// and the application hears nothing.

import FlowLog
import Linux
import Policy
import TLSEngine

extension Worker {
    func openIncoming(_ slot: ConnectionPointer) {
        guard let unit = slot.pointee.unit, let policy = unit.policy else {
            return refuse(slot, .notReady, detail: "no policy for this unit yet; see sallyport status")
        }
        // The port alone names the service; which client it is for is known once it has shown who it is.
        slot.pointee.service = policy.services(targetPort: slot.pointee.target.port).first
        if !watch(slot, far: false) { return refuse(slot, .outOfResources, detail: words(clinux_errno())) }
        timeouts.start(.sniff, slot, now: now, in: slab)
    }

    func sniff(_ slot: ConnectionPointer) {
        // With what is held it must fit the wire again: a ClientHello's limit and one read.
        switch receiveWire(slot.near, limit: 64 * 1024) {
        case .nothing: return
        case .failed: return end(slot, .resetBySource, reset: true)
        case .end: return slot.pointee.partial.isEmpty ? discard(slot, reset: false) : stranger(slot)
        case .bytes: break
        }
        let held: UnsafeBufferPointer<UInt8>
        if slot.pointee.partial.isEmpty {
            held = UnsafeBufferPointer(start: wire.pointee.input, count: wire.pointee.inputEnd)
        } else {
            slot.pointee.partial.append(wire.pointee.input, wire.pointee.inputEnd)
            held = slot.pointee.partial.bytes
        }
        switch ClientHello.look(at: held) {
        case .incomplete:
            if slot.pointee.partial.isEmpty { slot.pointee.partial.append(wire.pointee.input, wire.pointee.inputEnd) }
            // It has begun to speak: from here it has a handshake's time.
            if slot.pointee.queue != .handshake { timeouts.start(.handshake, slot, now: now, in: slab) }
        case .clientHello(_, offersEnforcerProtocol: true): enforcer(slot)
        case .clientHello, .notTLS, .malformed:
            if slot.pointee.partial.isEmpty { slot.pointee.partial.append(wire.pointee.input, wire.pointee.inputEnd) }
            stranger(slot)
        }
    }

    /// The first bytes are an enforcer's ClientHello: they are in the wire, or held from several reads.
    private func enforcer(_ slot: ConnectionPointer) {
        guard let unit = slot.pointee.unit, let context = unit.server, let generation else {
            return refuse(slot, .notReady, detail: "no certificate for this unit yet; see sallyport status")
        }
        if !slot.pointee.partial.isEmpty, let base = slot.pointee.partial.bytes.baseAddress {
            let count = slot.pointee.partial.count
            wire.pointee.input.update(from: base, count: count)
            wire.pointee.inputStart = 0
            wire.pointee.inputEnd = count
            slot.pointee.partial.free()
        }
        slot.pointee.stage = .handshaking
        timeouts.start(.handshake, slot, now: now, in: slab)
        let binding = unit.binding(port: slot.pointee.target.port, trust: generation.trust.generation, policy: generation.snapshot.generation)
        openSession(slot, slot.near, context, binding: binding, ticket: nil)
        handshake(slot)
    }

    /// No enforcer: an external network like any other, allowed or refused by the rules, in plain.
    private func stranger(_ slot: ConnectionPointer) {
        slot.pointee.mode = .external
        guard let decision = decideExternal(slot) else { return }
        slot.pointee.decision = decision
        decision.allowed ? openTarget(slot) : refuse(slot, decision)
    }

    /// Nothing came in the time an enforcer needs. Who may connect in plain may speak a protocol in which
    /// the server begins; who may not has a handshake's time to show that it is an enforcer after all.
    func nothingHeard(_ slot: ConnectionPointer) {
        guard let decision = decideExternal(slot) else { return }
        if decision.allowed {
            slot.pointee.mode = .external
            slot.pointee.decision = decision
            openTarget(slot)
        } else {
            timeouts.start(.handshake, slot, now: now, in: slab)
        }
    }

    /// A stranger to whom the application was opened in silence shows that it is an enforcer: no harm is done
    /// while the application has not spoken.
    /// - Returns: true if the bytes in `plain` were its ClientHello, and the connection is being judged anew.
    func isEnforcerAfterAll(_ slot: ConnectionPointer, _ count: Int) -> Bool {
        guard slot.pointee.received == 0,
            case .clientHello(_, offersEnforcerProtocol: true) = ClientHello.look(at: UnsafeBufferPointer(start: plain, count: count))
        else { return false }
        release(slot.far, reset: true)
        slot.pointee.far = Leg()
        slot.pointee.peer = nil
        slot.pointee.decision = nil
        slot.pointee.mode = .wrapped
        wire.pointee.clear()
        wire.pointee.input.update(from: plain, count: count)
        wire.pointee.inputEnd = count
        enforcer(slot)
        return true
    }

    private func decideExternal(_ slot: ConnectionPointer) -> Decision? {
        guard let policy = slot.pointee.unit?.policy else {
            refuse(slot, .notReady, detail: "no policy for this unit yet; see sallyport status")
            return nil
        }
        let peer = knownNetwork(slot.pointee.source.address, for: policy)
        slot.pointee.peer = peer
        let port = slot.pointee.target.port
        return policy.decide(.incoming, peer: peer.tags, ports: FlowPorts(target: port, dialled: port))
    }
}
