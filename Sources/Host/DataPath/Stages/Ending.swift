// How connections end: refused with a reason that both ends learn, or over; recorded either way.

import FlowLog
import Linux
import Policy
import TLSEngine

extension Worker {
    /// Refuses by policy.
    func refuse(_ slot: ConnectionPointer, _ decision: Decision) {
        let detail = slot.pointee.isNameUnknown ? "the names of \(slot.pointee.source.address) could not be found out in time" : nil
        refuse(slot, decision.decidedBy.isDefault ? .defaultReject : .rejectedByRule, detail: detail)
    }

    /// Ends a flow that never was, tells the other end why where it can be told, and records it.
    func refuse(_ slot: ConnectionPointer, _ reason: FlowReason, detail: String? = nil) {
        if slot.pointee.stage == .relaying && slot.pointee.answered { return end(slot, reason, reset: true, detail: detail) }
        counters.refused.wrappingAdd(1, ordering: .relaxed)
        record(slot, .refused, reason, detail)
        switch slot.pointee.side {
        case .server:
            if tellClient(slot, reason) { return }
            discard(slot, reset: slot.near.pointee.session == nil)
        default:
            tellServer(slot)
            discard(slot, reset: true)
        }
    }

    /// Server side: the reason goes to the client's enforcer, which may still be sending; closing at once
    /// would reset the connection and lose the answer, so what comes is read until it has gone.
    private func tellClient(_ slot: ConnectionPointer, _ reason: FlowReason) -> Bool {
        guard let context = slot.near.pointee.context, let session = slot.near.pointee.session else { return false }
        release(slot.far, reset: true)
        slot.pointee.far = Leg()
        if slot.near.pointee.sendsTLS && slot.pointee.peer?.identity != nil {
            let rule = slot.pointee.decision.map { flowRule($0.decidedBy).path } ?? ""
            let answer = EnforcerProtocol.frame(Answer.with { $0.refused = .with { $0.reason = reason; $0.rule = rule } }) ?? []
            guard case .done = context.write(session, wire, from: answer, count: answer.count) else { return false }
        }
        // Also sends the alert that the TLS library may have left.
        guard sendWire(slot.near), shut(slot.near) else { return false }
        slot.pointee.stage = .lingering
        timeouts.start(.linger, slot, now: now, in: slab)
        linger(slot)
        return true
    }

    /// Client side: an alert tells the server's enforcer that it was refused: access_denied (RFC 8446, 6.2).
    private func tellServer(_ slot: ConnectionPointer) {
        guard slot.pointee.tls != nil, !slot.pointee.answered, let context = slot.far.pointee.context, let session = slot.far.pointee.session
        else { _ = slot.far.pointee.isOpen && sendWire(slot.far); return }
        context.sendAlert(49, session, wire)
        _ = sendWire(slot.far)
    }

    /// Reads and drops what still comes after a refusal, until the end.
    func linger(_ slot: ConnectionPointer) {
        if case .gone = flush(slot.near) { return discard(slot, reset: true) }
        if !slot.near.pointee.shut && !shut(slot.near) { return discard(slot, reset: true) }
        for _ in 0..<16 {
            switch receiveWire(slot.near) {
            case .bytes: continue
            case .nothing: return
            case .end, .failed: return discard(slot, reset: false)
            }
        }
        // Whoever sends this much after a refusal does not listen.
        discard(slot, reset: true)
    }

    /// Ends a flow that was allowed, and records it.
    func end(_ slot: ConnectionPointer, _ reason: FlowReason, reset: Bool, detail: String? = nil) {
        if slot.pointee.stage == .relaying {
            record(slot, .accepted, reason, detail)
        } else if slot.pointee.stage != .lingering {
            counters.refused.wrappingAdd(1, ordering: .relaxed)
            record(slot, .refused, reason, detail)
        }
        discard(slot, reset: reset)
    }

    /// Closes both legs and gives the slot back.
    func discard(_ slot: ConnectionPointer, reset: Bool) {
        timeouts.stop(slot, in: slab)
        release(slot.near, reset: reset)
        release(slot.far, reset: reset)
        slot.pointee.partial.free()
        slot.pointee.answerPart.free()
        slot.pointee.unit?.liveFlows -= 1
        slab.give(back: slot)
        counters.live.store(slab.live, ordering: .relaxed)
    }

    func release(_ leg: UnsafeMutablePointer<Leg>, reset: Bool) {
        if let session = leg.pointee.session { leg.pointee.context?.free(session) }
        leg.pointee.session = nil
        leg.pointee.context = nil
        leg.pointee.parked.free()
        if let pipe = leg.pointee.pipe { pipes.give(back: pipe) }
        leg.pointee.pipe = nil
        if leg.pointee.fd < 0 { return }
        if reset {
            // A linger time of zero makes close(2) send a reset; socket(7), SO_LINGER.
            var option = Glibc.linger(l_onoff: 1, l_linger: 0)
            setsockopt(leg.pointee.fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
        close(leg.pointee.fd)
        leg.pointee.fd = -1
    }

    // MARK: - Records

    /// A flow has lasted: a record of its start, so that it shows before it ends.
    func recordStart(_ slot: ConnectionPointer) {
        if slot.pointee.startRecorded { return }
        slot.pointee.startRecorded = true
        emit(flowRecord(slot, .start, .accepted, .none, nil))
    }

    private func record(_ slot: ConnectionPointer, _ verdict: FlowVerdict, _ reason: FlowReason, _ detail: String?) {
        if slot.pointee.recorded { return }
        slot.pointee.recorded = true
        emit(flowRecord(slot, .end, verdict, reason, detail))
    }

    private func flowRecord(
        _ slot: ConnectionPointer, _ phase: FlowPhase, _ verdict: FlowVerdict, _ reason: FlowReason, _ detail: String?
    ) -> FlowRecord {
        var record = FlowRecord(
            side: slot.pointee.side, traceHigh: slot.pointee.traceHigh, traceLow: slot.pointee.traceLow,
            start: slot.pointee.startRealtime, verdict: verdict)
        record.phase = phase
        record.duration = Int64(truncatingIfNeeded: clinux_monotonic() &- slot.pointee.startMonotonic)
        let own = slot.pointee.unit?.party ?? .unknown
        let other = slot.pointee.peer?.party ?? .unknown
        record.source = slot.pointee.side == .client ? own : other
        record.destination = slot.pointee.side == .client ? other : own
        record.sourceAddress = slot.pointee.source
        record.tcpPeer = slot.pointee.tcpPeer
        record.dialled = slot.pointee.dialled
        record.targetPort = slot.pointee.service?.targetPort ?? slot.pointee.target.port
        record.service = slot.pointee.service?.path
        record.reason = reason
        record.detail = detail
        record.peerDecidedBy = slot.pointee.peerRule
        if let decision = slot.pointee.decision {
            record.decidedBy = flowRule(decision.decidedBy)
            record.isSilent = !decision.logs
            if let observed = decision.observed {
                record.observed = flowRule(observed)
                record.observedVerdict = decision.observedAllowed ? .accepted : .refused
            }
        }
        if let tls = slot.pointee.tls {
            record.tlsVersion = tls.version
            record.tlsCipher = tls.cipher
            record.tlsResumed = tls.resumed
            record.peerSPIFFEID = slot.pointee.peer?.identity?.spiffeID
            record.encryption = slot.pointee.mode == .innerTLS ? .application : .enforcer
        } else if slot.pointee.carriesTLS {
            record.encryption = .application
        }
        record.proxyProtocolVersion = slot.pointee.proxyVersion
        record.proxyDetails = slot.pointee.proxyDetails
        record.bytesSent = slot.pointee.sent
        record.bytesReceived = slot.pointee.received
        return record
    }
}
