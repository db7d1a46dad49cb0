// Writing a leg. What a socket does not take is parked with the connection, and its other leg is not
// read until that has gone: a slow reader costs one read's worth of memory and no more.

import Linux
import TLSEngine

extension Worker {
    /// Sends what the TLS library put on the wire.
    /// - Parameter moreFollows: The kernel may keep it for what is sent next, for 200 ms at most (MSG_MORE, send(2);
    ///   tcp(7), TCP_CORK): one packet then carries both.
    /// - Returns: false if the connection is gone.
    func sendWire(_ leg: UnsafeMutablePointer<Leg>, moreFollows: Bool = false) -> Bool {
        let count = wire.pointee.outputCount
        if count == 0 { return true }
        wire.pointee.outputCount = 0
        return sendBytes(leg, wire.pointee.output, count, moreFollows: moreFollows)
    }

    /// Writes bytes of the application, inside the leg's session if it has one.
    /// - Parameter moreFollows: As for `sendWire`.
    /// - Returns: false if the connection is gone.
    func writeLeg(
        _ leg: UnsafeMutablePointer<Leg>, _ bytes: UnsafePointer<UInt8>, _ count: Int, moreFollows: Bool = false
    ) -> Bool {
        if count == 0 { return true }
        if !leg.pointee.sendsTLS { return sendBytes(leg, bytes, count, moreFollows: moreFollows) }
        guard let context = leg.pointee.context, let session = leg.pointee.session else { return false }
        guard case .done = context.write(session, wire, from: bytes, count: count) else { return false }
        return sendWire(leg, moreFollows: moreFollows)
    }

    /// Sends bytes as they are, behind what is parked.
    func sendBytes(
        _ leg: UnsafeMutablePointer<Leg>, _ bytes: UnsafePointer<UInt8>, _ count: Int, moreFollows: Bool = false
    ) -> Bool {
        if !leg.pointee.parked.isEmpty {
            leg.pointee.parked.append(bytes, count)
            return true
        }
        let flags = MSG_NOSIGNAL | (moreFollows ? MSG_MORE : 0)
        var sent = clinux_send(leg.pointee.fd, bytes, count, Int32(flags))
        if sent == count { return true }
        if sent < 0 {
            let code = clinux_errno()
            if code != EAGAIN && code != EINTR { return false }
            sent = 0
        }
        leg.pointee.parked.append(bytes + sent, count - sent)
        return awaitRoom(leg)
    }

    enum Flushed { case all, some, gone }

    /// Sends what is parked.
    func flush(_ leg: UnsafeMutablePointer<Leg>) -> Flushed {
        while !leg.pointee.parked.isEmpty {
            if !leg.pointee.writable { return .some }
            let held = leg.pointee.parked.bytes
            let sent = clinux_send(leg.pointee.fd, held.baseAddress, held.count, Int32(MSG_NOSIGNAL))
            if sent < 0 {
                let code = clinux_errno()
                if code == EINTR { continue }
                return code == EAGAIN && awaitRoom(leg) ? .some : .gone
            }
            leg.pointee.parked.removeFirst(sent)
            // A short send has filled the socket.
            if !leg.pointee.parked.isEmpty && !awaitRoom(leg) { return .gone }
        }
        return .all
    }

    /// Tells a leg that nothing more comes: close_notify inside a session, then the end of the TCP stream, in one packet.
    /// - Parameter closes: The leg is closed next, and close(2) ends the stream as well.
    /// - Returns: false if the connection is gone.
    func shut(_ leg: UnsafeMutablePointer<Leg>, closes: Bool = false) -> Bool {
        if !leg.pointee.parked.isEmpty { return true }
        // Twice where one session is inside another.
        for _ in 0..<2 where leg.pointee.sendsTLS {
            if !closeSession(leg, moreFollows: true) { return false }
            if !leg.pointee.parked.isEmpty { return true }
        }
        leg.pointee.sendsTLS = false
        if !closes { shutdown(leg.pointee.fd, Int32(SHUT_WR)) }
        leg.pointee.shut = true
        return true
    }

    /// Closes this side of a leg's session; what is sent after is raw, or in the session around it.
    func closeSession(_ leg: UnsafeMutablePointer<Leg>, moreFollows: Bool = false) -> Bool {
        guard let context = leg.pointee.context, let session = leg.pointee.session else { return false }
        context.closeNotify(session, wire)
        leg.pointee.sendsTLS = context.stillSends(session)
        return sendWire(leg, moreFollows: moreFollows)
    }
}
