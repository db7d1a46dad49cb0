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
        let published = policy.service(publicPort: slot.pointee.target.port)
        if let published {
            slot.pointee.isPublic = true
            slot.pointee.target = SocketAddress(slot.pointee.target.address, published.targetPort)
        }
        let services = published.map { [$0] } ?? policy.services(targetPort: slot.pointee.target.port)
        slot.pointee.service = services.first
        if !watch(slot, far: false) { return refuse(slot, .outOfResources, detail: words(clinux_errno())) }
        if !awaitsProxyHeader(slot, services) { timeouts.start(.sniff, slot, now: now, in: slab) }
    }

    func sniff(_ slot: ConnectionPointer) {
        // With what is held it must fit the wire again: a ClientHello's limit and one read.
        switch receiveWire(slot.near, limit: 64 * 1024) {
        case .nothing: return
        case .failed: return slot.pointee.partial.isEmpty ? healthCheck(slot) : end(slot, .resetBySource, reset: true)
        case .end: return slot.pointee.partial.isEmpty ? healthCheck(slot) : stranger(slot)
        case .bytes: break
        }
        // An enforcer's ClientHello is whole in nearly every first read, and need not be copied then.
        if slot.pointee.partial.isEmpty,
            case .clientHello(_, offersEnforcerProtocol: true) = ClientHello.look(at: UnsafeBufferPointer(start: wire.pointee.input, count: wire.pointee.inputEnd))
        {
            return enforcer(slot)
        }
        holdWire(slot)
        sniffHeld(slot)
    }

    /// Looks at all that has come so far, in `partial`.
    func sniffHeld(_ slot: ConnectionPointer) {
        switch ClientHello.look(at: slot.pointee.partial.bytes) {
        case .incomplete:
            // It has begun to speak: from here it has a handshake's time.
            if slot.pointee.queue != .handshake { timeouts.start(.handshake, slot, now: now, in: slab) }
        case .clientHello(_, offersEnforcerProtocol: true): enforcer(slot)
        case .clientHello, .notTLS, .malformed: if !refusesUntrustedHeader(slot) { stranger(slot) }
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
    func stranger(_ slot: ConnectionPointer) {
        if slot.pointee.isPublic { return openPublic(slot) }
        slot.pointee.mode = .external
        guard let decision = decideExternal(slot) else { return }
        slot.pointee.decision = decision
        decision.allowed ? openTarget(slot) : refuse(slot, decision)
    }

    /// Nothing came in the time an enforcer needs. Who may connect in plain may speak a protocol in which
    /// the server begins; who may not has a handshake's time to show that it is an enforcer after all.
    func nothingHeard(_ slot: ConnectionPointer) {
        // A client of TLS begins, and a load balancer's own connection that says nothing is for no application.
        if slot.pointee.isLocal || (slot.pointee.isPublic && !isPassthrough(slot)) {
            return timeouts.start(.handshake, slot, now: now, in: slab)
        }
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
        slot.pointee.isNameUnknown = false
        slot.pointee.mode = .wrapped
        wire.pointee.clear()
        wire.pointee.input.update(from: plain, count: count)
        wire.pointee.inputEnd = count
        enforcer(slot)
        return true
    }

    /// The public port's clients reach the application as they are.
    private func isPassthrough(_ slot: ConnectionPointer) -> Bool {
        slot.pointee.service.flatMap { generation?.publicCredentials[$0.path]?.passthrough } ?? false
    }

    /// - Returns: nil if there is nothing to decide: the connection has been refused, or waits for the names of its source and comes again.
    func decideExternal(_ slot: ConnectionPointer) -> Decision? {
        guard let policy = slot.pointee.unit?.policy else {
            refuse(slot, .notReady, detail: "no policy for this unit yet; see sallyport status")
            return nil
        }
        let ports = incomingPorts(slot, policy)
        let name = sourceName(slot, policy, ports)
        if name == .awaited {
            // Who has said nothing yet may still turn out to be an enforcer.
            if !slot.pointee.partial.isEmpty { slot.pointee.stage = .awaitingName }
            return nil
        }
        let source = slot.pointee.source.address
        let peer = knownNetwork(source, for: policy)
        slot.pointee.peer = peer
        let decision = policy.decide(.incoming, peer: peer.tags, ports: ports)
        slot.pointee.isNameUnknown = name == .unknown
        // What cannot be found out opens nothing that a name would have closed.
        if name == .unknown && decision.allowed, let rejection = policy.rejection(ofUnknownName: source, ports: ports) { return rejection }
        return decision
    }
}
