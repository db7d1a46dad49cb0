// Everything is decided: bytes go both ways, as fast as the slower side takes them.

import FlowLog
import Linux
import Policy
import TLSEngine

extension Worker {
    /// Turns a connection gets before others have theirs.
    private static let turns = 4
    /// A leg that has taken so much in a row is read at its other end: it is more than the send and receive buffers of a connection
    /// hold together by Linux's defaults (tcp(7), tcp_wmem and tcp_rmem: 4 and 6 MiB).
    private static let keepsUp: UInt64 = 16 << 20
    /// A read this long means bulk: cheaper by splice(2) from here (docs/performance.md, "Splice").
    private static let spliceFrom = 16 * 1024

    /// Both legs are there. Server side: answer, and give the application what came before it was reached.
    func beginRelay(_ slot: ConnectionPointer) {
        slot.pointee.stage = .relaying
        timeouts.start(slot.pointee.queue == .drain ? .drain : .lasting, slot, now: now, in: slab)
        if slot.pointee.side == .client {
            if !watch(slot, far: false) { return end(slot, .outOfResources, reset: true) }
            if slot.pointee.mode == .deferred && !slot.pointee.partial.isEmpty {
                timeouts.start(.firstBytes, slot, now: now, in: slab)
            }
        } else {
            if slot.pointee.mode != .external && !sendAnswer(slot) { return end(slot, .resetBySource, reset: true) }
            if !slot.pointee.partial.isEmpty, !deliverEarly(slot) { return }
        }
        relay(slot)
    }

    /// What the client said before the application was reached.
    /// - Returns: false if the flow has ended.
    private func deliverEarly(_ slot: ConnectionPointer) -> Bool {
        let held = slot.pointee.partial.bytes
        slot.pointee.sent += UInt64(held.count)
        let isWritten = held.baseAddress.map { writeLeg(slot.far, $0, held.count) } ?? true
        slot.pointee.partial.free()
        if !isWritten { end(slot, .resetByDestination, reset: true) }
        return isWritten
    }

    func relay(_ slot: ConnectionPointer) {
        let before = slot.pointee.sent &+ slot.pointee.received
        guard pump(slot, from: slot.near, to: slot.far), pump(slot, from: slot.far, to: slot.near) else { return }
        if slot.near.pointee.shut && slot.far.pointee.shut { return end(slot, .none, reset: false) }
        if slot.near.pointee.ended || slot.far.pointee.ended,
            slot.pointee.queue != .halfClosed || slot.pointee.sent &+ slot.pointee.received != before, slot.pointee.queue != .drain
        {
            timeouts.start(.halfClosed, slot, now: now, in: slab)
        }
    }

    /// Moves bytes one way.
    /// - Returns: false if the flow has ended.
    private func pump(_ slot: ConnectionPointer, from: UnsafeMutablePointer<Leg>, to: UnsafeMutablePointer<Leg>) -> Bool {
        for _ in 0..<Worker.turns {
            switch flush(to) {
            case .all: break
            case .some: return true
            case .gone: return lost(slot, to)
            }
            if from.pointee.pipe != nil || isBulk(slot, from, to) {
                switch spliceLegs(slot, from: from, to: to) {
                case .moved: continue
                case .waiting: return true
                case .copy: break
                case .gone: return false
                }
            }
            if from.pointee.ended { return finish(slot, to) }
            switch readLeg(slot, from, limit: to.pointee.readLimit) {
            case .nothing: return true
            case .ended: continue
            case .truncated:
                end(slot, .truncated, reset: true)
                return false
            case .failed: return lost(slot, from)
            case .bytes(let count):
                guard let count = claim(slot, from, count) else { return slot.pointee.isLive && slot.pointee.stage == .relaying }
                if count > 0 {
                    account(slot, from, count)
                    // What follows is further bytes or the end, which then goes in the last packet.
                    if !writeLeg(to, plain, count, moreFollows: from.pointee.isEnding) { return lost(slot, to) }
                    from.pointee.sendsBulk = count >= Worker.spliceFrom
                    adapt(to, count)
                }
            }
        }
        if from.pointee.readable && to.pointee.parked.isEmpty { queueToRun(slot) }
        return true
    }

    /// Takes what is not the application's from the front of `plain`: an answer, a mode byte.
    /// - Returns: How many bytes go on; nil if none do and this direction should pause, or the flow is over.
    private func claim(_ slot: ConnectionPointer, _ from: UnsafeMutablePointer<Leg>, _ count: Int) -> Int? {
        if slot.pointee.side == .client {
            if from == slot.far { return slot.pointee.answered ? count : takeAnswer(slot, count) }
            if !slot.pointee.modeTold {
                if tellMode(slot, count) { return 0 }
                return slot.pointee.isLive ? 0 : nil
            }
            return count
        }
        if from == slot.near {
            if slot.pointee.mode == .deferred { return takeModeByte(slot, count) }
            if slot.pointee.mode == .external && !slot.pointee.isPublic && slot.pointee.sent == 0 && isEnforcerAfterAll(slot, count) { return nil }
        }
        return count
    }

    /// Server side of a deferred flow: the first byte tells the mode; the application's TLS shows its ClientHello whole.
    private func takeModeByte(_ slot: ConnectionPointer, _ count: Int) -> Int? {
        slot.pointee.partial.append(plain, count)
        guard heardMode(slot) else { return nil }
        if slot.pointee.mode == .innerTLS {
            slot.pointee.stage = .relaying
            switch ClientHello.look(at: slot.pointee.partial.bytes) {
            case .clientHello: if slot.near.pointee.sendsTLS && !closeSession(slot.near) { return lostNil(slot, slot.near) }
            case .incomplete:
                // Whole in one flight, but for what TCP cut: wait, with the marker put back in front.
                var marker = FlowMode.innerTLS.rawValue
                var again = HeldBytes()
                again.append(&marker, 1)
                if let base = slot.pointee.partial.bytes.baseAddress { again.append(base, slot.pointee.partial.count) }
                slot.pointee.partial.free()
                slot.pointee.partial = again
                slot.pointee.mode = .deferred
                return 0
            case .notTLS, .malformed:
                refuse(slot, .notAClientHello, detail: "the enforcer announced the application's TLS, and something else came")
                return nil
            }
        }
        let rest = slot.pointee.partial.count
        if rest > 0, let base = slot.pointee.partial.bytes.baseAddress { plain.update(from: base, count: rest) }
        slot.pointee.partial.free()
        return rest
    }

    private func lostNil(_ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>) -> Int? {
        _ = lost(slot, leg)
        return nil
    }

    private func account(_ slot: ConnectionPointer, _ from: UnsafeMutablePointer<Leg>, _ count: Int) {
        if from == slot.near { slot.pointee.sent &+= UInt64(count) } else { slot.pointee.received &+= UInt64(count) }
    }

    /// Reads less at once while the leg that takes it is slow, so that little is parked; more again when it keeps up, and most once
    /// it has kept up for longer than the sockets' own buffers could make it seem.
    private func adapt(_ to: UnsafeMutablePointer<Leg>, _ count: Int) {
        guard to.pointee.parked.isEmpty else {
            to.pointee.readLimit = 32 * 1024
            to.pointee.takenInARow = 0
            return
        }
        to.pointee.takenInARow &+= UInt64(count)
        if count >= to.pointee.readLimit / 2 {
            let most = to.pointee.takenInARow >= Worker.keepsUp ? TLSWire.bufferSize : Leg.usualReadLimit
            to.pointee.readLimit = min(to.pointee.readLimit * 2, most)
        }
    }

    /// A side has said all it will: passes that on.
    private func finish(_ slot: ConnectionPointer, _ to: UnsafeMutablePointer<Leg>) -> Bool {
        if to.pointee.shut { return true }
        // The client said nothing at all, or left off inside what might have been a ClientHello.
        if slot.pointee.side == .client && to == slot.far && !slot.pointee.modeTold && !slot.pointee.partial.isEmpty {
            firstBytesOverdue(slot)
            return slot.pointee.isLive && !slot.far.pointee.shut
        }
        let other = to == slot.near ? slot.far : slot.near
        return shut(to, closes: other.pointee.shut) || lost(slot, to)
    }

    /// A leg failed: the other is told by a reset, as the application would have been.
    private func lost(_ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>) -> Bool {
        end(slot, leg == slot.near ? .resetBySource : .resetByDestination, reset: true)
        return false
    }

    // MARK: - Splice

    private enum Spliced { case moved, waiting, copy, gone }

    private func isBulk(_ slot: ConnectionPointer, _ from: UnsafeMutablePointer<Leg>, _ to: UnsafeMutablePointer<Leg>) -> Bool {
        guard !from.pointee.receivesTLS, !to.pointee.sendsTLS, from.pointee.sendsBulk, !from.pointee.ended else { return false }
        if slot.pointee.side == .client && !slot.pointee.modeTold { return false }
        from.pointee.pipe = pipes.take()
        return from.pointee.pipe != nil
    }

    /// Moves plain bytes through a pipe, without copying them; splice(2). The pipe is emptied before more is read: each call moves much then.
    private func spliceLegs(_ slot: ConnectionPointer, from: UnsafeMutablePointer<Leg>, to: UnsafeMutablePointer<Leg>) -> Spliced {
        guard var pipe = from.pointee.pipe else { return .copy }
        if pipe.count == 0 && from.pointee.readable && !from.pointee.ended {
            let count = clinux_splice(from.pointee.fd, pipe.write, PipePool.size, UInt32(CLINUX_SPLICE_FLAGS))
            if count > 0 {
                pipe.count = count
                account(slot, from, count)
                from.pointee.sendsBulk = count >= Worker.spliceFrom
            } else if count == 0 {
                from.pointee.ended = true
            } else {
                let code = clinux_errno()
                if code == EAGAIN { from.pointee.readable = false } else if code != EINTR {
                    _ = lost(slot, from)
                    return .gone
                }
            }
        }
        // Until the socket takes no more: it then tells when a third of its buffer is free (sk_stream_write_space, net/core/stream.c).
        while pipe.count > 0 {
            guard to.pointee.writable else {
                from.pointee.pipe = pipe
                return .waiting
            }
            let count = clinux_splice(pipe.read, to.pointee.fd, pipe.count, UInt32(CLINUX_SPLICE_FLAGS))
            switch count < 0 ? clinux_errno() : 0 {
            case 0 where count > 0: pipe.count -= count
            case EINTR: break
            case EAGAIN where awaitRoom(to): break
            default:
                from.pointee.pipe = pipe
                _ = lost(slot, to)
                return .gone
            }
        }
        from.pointee.pipe = pipe
        if from.pointee.readable && !from.pointee.ended { return .moved }
        // Nothing under way: the pipe goes back. After a short read, small messages are copied until the next long one.
        pipes.give(back: pipe)
        from.pointee.pipe = nil
        return from.pointee.ended ? .copy : .waiting
    }
}
