// A connection begins: accepted from the PU or for it. Direction is the listener's, never an address's.

import FlowLog
import Linux
import Policy
import TLSEngine

extension Worker {
    /// Most connections taken from one listener in a turn.
    private static let acceptBatch = 64

    func acceptAll(for unit: UnitState, outgoing: Bool) {
        for _ in 0..<Worker.acceptBatch {
            var raw = sockaddr_in6()
            var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            let listener = outgoing ? unit.sockets.outgoing : unit.sockets.incoming
            let fd = clinux_accept4(listener, &raw, &length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
            if fd < 0 {
                switch clinux_errno() {
                case EAGAIN: return
                // The client has gone already, or its packet was bad; accept(2) says to go on.
                case EINTR, ECONNABORTED, EPROTO: continue
                default:
                    if !shedOne(listener, unit, outgoing: outgoing) { return }
                    continue
                }
            }
            begin(fd, peer: SocketAddress(raw), unit, outgoing: outgoing)
        }
    }

    /// Out of descriptors: gives up the spare one to take a connection and refuse it, so that its client
    /// is told at once and the loop does not spin on a listener that stays readable.
    private func shedOne(_ listener: Int32, _ unit: UnitState, outgoing: Bool) -> Bool {
        counters.acceptFailures.wrappingAdd(1, ordering: .relaxed)
        if spareDescriptor < 0 { return false }
        close(spareDescriptor)
        var raw = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let fd = clinux_accept4(listener, &raw, &length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
        if fd >= 0 { begin(fd, peer: SocketAddress(raw), unit, outgoing: outgoing, refusing: .outOfResources) }
        spareDescriptor = clinux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
        return fd >= 0
    }

    private func begin(_ fd: Int32, peer: SocketAddress, _ unit: UnitState, outgoing: Bool, refusing reason: FlowReason? = nil) {
        counters.accepted.wrappingAdd(1, ordering: .relaxed)
        let slot = slab.take()
        counters.live.store(slab.live, ordering: .relaxed)
        unit.liveFlows += 1
        slot.pointee.side = outgoing ? .client : .server
        slot.pointee.stage = outgoing ? .dialling : .sniffing
        slot.pointee.unit = unit
        slot.pointee.near.fd = fd
        slot.pointee.near.writable = true
        slot.pointee.tcpPeer = peer
        slot.pointee.source = peer
        slot.pointee.startMonotonic = now
        slot.pointee.startRealtime = clinux_realtime()
        slot.pointee.traceHigh = random.next()
        slot.pointee.traceLow = random.next()

        let listenerPort = outgoing ? unit.sockets.outgoingPort : unit.sockets.incomingPort
        guard let dialled = dialledAddress(fd, peer, listenerPort) else {
            return refuse(slot, .loop, detail: "the enforcer's own listener was dialled")
        }
        slot.pointee.dialled = dialled
        slot.pointee.target = dialled
        if let reason { return refuse(slot, reason, detail: "no file descriptors left; raise LimitNOFILE") }
        let live = allCounters.reduce(0) { $0 + $1.live.load(ordering: .relaxed) }
        if live > configuration.maximumConnections {
            return refuse(slot, .tooManyConnections, detail: "limits.maxConnections is \(configuration.maximumConnections)")
        }
        outgoing ? openOutgoing(slot) : openIncoming(slot)
    }

    /// Where the client meant to go before interception turned it here: the socket's own address, where sockets were steered; what nat knows of
    /// it, where the listener's port shows that nat led it. nil if that is the listener all the same.
    private func dialledAddress(_ fd: Int32, _ peer: SocketAddress, _ listenerPort: UInt16) -> SocketAddress? {
        guard let local = localAddress(fd) else { return nil }
        if local.port != listenerPort { return local }
        var raw = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let level = peer.address.isV4 ? Int32(IPPROTO_IP) : Int32(IPPROTO_IPV6)
        if getsockopt(fd, level, Int32(CLINUX_SO_ORIGINAL_DST), &raw, &length) != 0 { return nil }
        let original = SocketAddress(raw)
        return original == local ? nil : original
    }

    private func localAddress(_ fd: Int32) -> SocketAddress? {
        var raw = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = withUnsafeMutablePointer(to: &raw) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        return result == 0 ? SocketAddress(raw) : nil
    }

    /// Registers a leg for every edge of what it sends; for room to write only where something waits for that. With EPOLLOUT each change of
    /// the socket's state is an event: that it was registered, that it is half closed, that its peer knows.
    func watch(_ slot: ConnectionPointer, far: Bool, forRoom: Bool = false) -> Bool {
        let leg = far ? slot.far : slot.near
        leg.pointee.token = EventToken.leg(index: slot.pointee.index, incarnation: slot.pointee.incarnation, far: far).raw
        leg.pointee.watchesRoom = forRoom
        return register(leg, EPOLL_CTL_ADD)
    }

    /// A write was refused: epoll tells when there is room again.
    /// - Returns: false if it cannot.
    func awaitRoom(_ leg: UnsafeMutablePointer<Leg>) -> Bool {
        leg.pointee.writable = false
        if leg.pointee.watchesRoom { return true }
        leg.pointee.watchesRoom = true
        return register(leg, EPOLL_CTL_MOD)
    }

    private func register(_ leg: UnsafeMutablePointer<Leg>, _ operation: Int32) -> Bool {
        let room = leg.pointee.watchesRoom ? EPOLLOUT.rawValue : 0
        let events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue | room
        return clinux_epoll_ctl(epoll, operation, leg.pointee.fd, events, leg.pointee.token) == 0
    }
}
