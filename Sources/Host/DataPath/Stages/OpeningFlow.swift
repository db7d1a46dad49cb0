// Client side, behind the handshake: judge who answered, tell the other end what the flow is, and begin.
// docs/protocol.md, "Preface" and "Modes".

import FlowLog
import Identity
import Linux
import Policy
import TLSEngine

extension Worker {
    /// The server's identity is known: decide for good, then send the preface with the client's first bytes.
    func openFlow(_ slot: ConnectionPointer) {
        guard let policy = slot.pointee.unit?.policy, let peer = slot.pointee.peer,
            let service = policy.service(dialled: slot.pointee.dialled)?.service
        else { return refuse(slot, .noSuchService) }
        slot.pointee.service = service
        if !policy.satisfies(peer.tags, targetOf: service) {
            return refuse(slot, .notATarget, detail: "what answered is not selected by the service's target")
        }
        let ports = FlowPorts(target: service.targetPort, dialled: slot.pointee.dialled.port)
        let decision = policy.decide(.outgoing, peer: peer.tags, ports: ports)
        slot.pointee.decision = decision
        if !decision.allowed { return refuse(slot, decision) }

        slot.near.pointee.readable = true
        let input = readPlainStart(slot)
        guard case .some(let count) = input else { return }
        let held = UnsafeBufferPointer(start: plain, count: count)
        switch count == 0 ? .incomplete : ClientHello.look(at: held) {
        case .clientHello(let length, _): begin(slot, .innerTLS, first: UnsafeBufferPointer(rebasing: held[..<length]), rest: UnsafeBufferPointer(rebasing: held[length...]))
        case .notTLS, .malformed: begin(slot, .wrapped, first: held, rest: UnsafeBufferPointer(start: nil, count: 0))
        case .incomplete:
            begin(slot, .deferred, first: UnsafeBufferPointer(start: nil, count: 0), rest: UnsafeBufferPointer(start: nil, count: 0))
            guard slot.pointee.isLive, count > 0 else { return }
            slot.pointee.partial.append(plain, count)
            timeouts.start(.firstBytes, slot, now: now, in: slab)
        }
    }

    /// What the client has said meanwhile: 0 if nothing yet, nil if the flow is over.
    private func readPlainStart(_ slot: ConnectionPointer) -> Int? {
        switch readLeg(slot, slot.near, limit: slot.far.pointee.readLimit) {
        case .bytes(let count): return count
        case .nothing, .ended: return 0
        case .truncated, .failed:
            end(slot, .resetBySource, reset: true)
            return nil
        }
    }

    /// Sends preface and first bytes in one flight, and lets the bytes flow.
    private func begin(
        _ slot: ConnectionPointer, _ mode: FlowMode, first: UnsafeBufferPointer<UInt8>, rest: UnsafeBufferPointer<UInt8>
    ) {
        slot.pointee.mode = mode
        slot.pointee.modeTold = mode != .deferred
        guard let preface = preface(for: slot, mode), let context = slot.far.pointee.context, let session = slot.far.pointee.session,
            case .done = context.write(session, wire, from: preface, count: preface.count)
        else { return refuse(slot, .badPreface, detail: "the preface does not fit its limit; shorten the service's name") }
        var isWritten = true
        if let bytes = first.baseAddress, !first.isEmpty {
            if case .done = context.write(session, wire, from: bytes, count: first.count) {} else { isWritten = false }
        }
        isWritten = isWritten && (mode == .innerTLS ? closeSession(slot.far) : sendWire(slot.far))
        if isWritten, let bytes = rest.baseAddress, !rest.isEmpty { isWritten = writeLeg(slot.far, bytes, rest.count) }
        slot.pointee.sent += UInt64(first.count + rest.count)
        if !isWritten { return end(slot, .resetByDestination, reset: true) }
        beginRelay(slot)
    }

    private func preface(for slot: ConnectionPointer, _ mode: FlowMode) -> [UInt8]? {
        let connection = slot.pointee
        return EnforcerProtocol.frame(Preface.with {
            $0.version = EnforcerProtocol.version
            $0.dialledAddress = .init(connection.dialled.address.bytes)
            $0.dialledPort = UInt32(connection.dialled.port)
            $0.service = connection.service?.path ?? ""
            $0.clientAddress = .init(connection.source.address.bytes)
            $0.clientPort = UInt32(connection.source.port)
            $0.mode = Preface.Mode(rawValue: Int(mode.rawValue)) ?? .unspecified
            $0.traceID = .init(bigEndianBytes(connection.traceHigh) + bigEndianBytes(connection.traceLow))
        })
    }

    private func bigEndianBytes(_ number: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) } }

    // MARK: - The first bytes after a deferred preface

    /// Mode `deferred`: the client has now spoken. One byte tells the server what follows.
    /// - Returns: false if the bytes are kept until there are more, or the flow has ended.
    func tellMode(_ slot: ConnectionPointer, _ count: Int) -> Bool {
        slot.pointee.partial.append(plain, count)
        switch ClientHello.look(at: slot.pointee.partial.bytes) {
        case .incomplete:
            if slot.pointee.queue != .firstBytes { timeouts.start(.firstBytes, slot, now: now, in: slab) }
            return false
        case .clientHello(let length, _): return tell(slot, .innerTLS, hello: length)
        case .notTLS, .malformed: return tell(slot, .wrapped, hello: 0)
        }
    }

    /// What began as a ClientHello goes on as it is: nobody waits for bytes that may never come.
    func firstBytesOverdue(_ slot: ConnectionPointer) {
        wire.pointee.clear()
        if tell(slot, .wrapped, hello: 0) { relay(slot) }
    }

    private func tell(_ slot: ConnectionPointer, _ mode: FlowMode, hello: Int) -> Bool {
        slot.pointee.mode = mode
        slot.pointee.modeTold = true
        timeouts.start(.lasting, slot, now: now, in: slab)
        let held = slot.pointee.partial.bytes
        var marker = mode.rawValue
        guard let base = held.baseAddress, let context = slot.far.pointee.context, let session = slot.far.pointee.session else { return false }
        let first = mode == .innerTLS ? hello : held.count
        var isWritten = false
        if case .done = context.write(session, wire, from: &marker, count: 1),
            case .done = context.write(session, wire, from: base, count: first)
        {
            isWritten = mode == .innerTLS ? closeSession(slot.far) : sendWire(slot.far)
        }
        if isWritten && held.count > first { isWritten = writeLeg(slot.far, base + first, held.count - first) }
        slot.pointee.sent += UInt64(held.count)
        slot.pointee.partial.free()
        if !isWritten { end(slot, .resetByDestination, reset: true) }
        return isWritten
    }

    // MARK: - The server's answer

    /// Takes the answer from what the server enforcer sent first.
    /// - Returns: How many bytes of `plain` are left for the client, moved to its beginning; nil if the flow has ended.
    func takeAnswer(_ slot: ConnectionPointer, _ count: Int) -> Int? {
        // In a deferred flow `partial` may hold the client's first bytes; answers go through one of their own.
        slot.pointee.answerPart.append(plain, count)
        switch EnforcerProtocol.parse(Answer.self, slot.pointee.answerPart.bytes) {
        case .incomplete: return 0
        case .malformed(let what):
            refuse(slot, .badAnswer, detail: what)
            return nil
        case .message(let answer, let length):
            switch answer.verdict {
            case .accepted:
                slot.pointee.answered = true
                let rest = slot.pointee.answerPart.count - length
                if rest > 0, let base = slot.pointee.answerPart.bytes.baseAddress { plain.update(from: base + length, count: rest) }
                slot.pointee.answerPart.free()
                return rest
            case .refused(let refusal):
                slot.pointee.peerRule = FlowRule(path: refusal.rule)
                refuse(slot, .refusedByPeer, detail: "\(refusal.reason)")
                return nil
            case nil:
                refuse(slot, .badAnswer, detail: "an answer without a verdict")
                return nil
            }
        }
    }
}
