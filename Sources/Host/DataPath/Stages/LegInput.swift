// Reading a leg: plain bytes as they are, or what the TLS session makes of them, into the thread's buffer.

import Linux
import TLSEngine

/// What reading came to.
enum LegInput {
    /// This many bytes are in the worker's `plain`. The leg may have ended behind them (`Leg.ended`).
    case bytes(Int)
    case nothing
    case ended
    /// TCP ended inside a TLS session: somebody cut it (RFC 8446, 6.1).
    case truncated
    case failed(String)
}

/// What receiving ciphertext came to.
enum WireInput {
    case bytes, nothing, end
    case failed(Int32)
}

extension Worker {
    /// Receives ciphertext into the wire, which must be empty.
    func receiveWire(_ leg: UnsafeMutablePointer<Leg>, limit: Int = TLSWire.bufferSize) -> WireInput {
        if !leg.pointee.readable { return .nothing }
        let count = clinux_recv(leg.pointee.fd, wire.pointee.input, limit, 0)
        if count > 0 {
            wire.pointee.inputStart = 0
            wire.pointee.inputEnd = count
            // A short read has emptied the socket, and epoll tells of what comes next; epoll(7), Q&A 9.
            if count < limit { leg.pointee.readable = leg.pointee.hungUp }
            return .bytes
        }
        if count == 0 { return .end }
        let code = clinux_errno()
        if code == EAGAIN || code == EINTR {
            leg.pointee.readable = code == EINTR
            return .nothing
        }
        return .failed(code)
    }

    /// Reads once what a leg has, at most about `limit` bytes.
    func readLeg(_ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>, limit: Int) -> LegInput {
        leg.pointee.receivesTLS ? readSession(slot, leg, limit: limit) : readPlain(leg, at: 0, limit: limit)
    }

    /// Reads one TLS record's worth. More may be left in the wire: for a caller that must know what one
    /// record says before it can tell what a close_notify behind it means.
    func readRecord(_ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>) -> LegInput {
        readSession(slot, leg, limit: TLSWire.bufferSize, oneRecord: true)
    }

    private func readPlain(_ leg: UnsafeMutablePointer<Leg>, at offset: Int, limit: Int) -> LegInput {
        if !leg.pointee.readable { return offset > 0 ? .bytes(offset) : .nothing }
        let count = clinux_recv(leg.pointee.fd, plain + offset, limit, 0)
        if count > 0 {
            if count < limit { leg.pointee.readable = leg.pointee.hungUp }
            return .bytes(offset + count)
        }
        if count == 0 {
            leg.pointee.ended = true
            return offset > 0 ? .bytes(offset) : .ended
        }
        let code = clinux_errno()
        if code == EAGAIN || code == EINTR {
            leg.pointee.readable = code == EINTR
            return offset > 0 ? .bytes(offset) : .nothing
        }
        return .failed(words(code))
    }

    private func readSession(
        _ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>, limit: Int, oneRecord: Bool = false
    ) -> LegInput {
        guard let context = leg.pointee.context, let session = leg.pointee.session else { return .failed("no session") }
        var count = 0
        defer { keepTicket(slot) }
        while true {
            switch context.read(session, wire, into: plain + count, capacity: TLSWire.plaintextSize - count) {
            case .done(let more):
                count += more
                if oneRecord { return .bytes(count) }
            case .needsInput:
                // Answers to key updates, if any.
                if wire.pointee.outputCount > 0 && !sendWire(leg) { return .failed("the connection is gone") }
                if count > 0 { return .bytes(count) }
                switch receiveWire(leg, limit: limit) {
                case .bytes: continue
                case .nothing: return .nothing
                case .end:
                    if leg == slot.enforcerLeg && slot.pointee.mode != .external { return .truncated }
                    // Many an application ends its TLS by closing the connection, and many a client of a public port.
                    leg.pointee.ended = true
                    return .ended
                case .failed(let code): return .failed(words(code))
                }
            case .closed: return closed(slot, leg, count)
            case .failed:
                let failure = wire.pointee.failure
                _ = sendWire(leg)
                if failure?.kind == .truncated { return .truncated }
                return .failed(failure?.message ?? "TLS failed")
            }
        }
    }

    /// The peer closed its side of the session: the end of its bytes, or of TLS around them (docs/protocol.md, "Inner TLS").
    private func closed(_ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>, _ count: Int) -> LegInput {
        guard leg == slot.enforcerLeg, isInnerTLS(slot, count) else {
            leg.pointee.ended = true
            return count > 0 ? .bytes(count) : .ended
        }
        if let context = leg.pointee.context, let session = leg.pointee.session, context.isEnvelope {
            // What comes behind it comes in the session around it.
            if context.leavesInner(session) { return count > 0 ? .bytes(count) : readSession(slot, leg, limit: 64 * 1024) }
            leg.pointee.ended = true
            return count > 0 ? .bytes(count) : .ended
        }
        leg.pointee.receivesTLS = false
        // What came behind the close_notify in the same read is the application's own.
        let raw = wire.pointee.inputEnd - wire.pointee.inputStart
        if raw > 0 { (plain + count).update(from: wire.pointee.input + wire.pointee.inputStart, count: raw) }
        wire.pointee.clear()
        if count + raw > 0 { return .bytes(count + raw) }
        return readPlain(leg, at: 0, limit: 64 * 1024)
    }

    /// Inner TLS was announced, by the preface or by a mode byte that was just read or is held.
    private func isInnerTLS(_ slot: ConnectionPointer, _ count: Int) -> Bool {
        if slot.pointee.mode != .deferred || slot.pointee.side == .client { return slot.pointee.mode == .innerTLS }
        return (slot.pointee.partial.bytes.first ?? (count > 0 ? plain[0] : 0)) == FlowMode.innerTLS.rawValue
    }

    private func keepTicket(_ slot: ConnectionPointer) {
        guard let ticket = wire.pointee.receivedTicket else { return }
        wire.pointee.receivedTicket = nil
        if slot.pointee.side == .client { slot.pointee.unit?.keep(ticket, for: slot.pointee.target) }
    }
}
