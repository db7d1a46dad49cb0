// A connection goes on: to the frontend that the client dialled, or to the application.

import FlowLog
import Linux
import Policy
import ProxyProtocol
import TLSEngine

extension Worker {
    /// Client side, first step: find the service, decide what can be decided, and dial.
    func openOutgoing(_ slot: ConnectionPointer) {
        guard let unit = slot.pointee.unit, let policy = unit.policy, unit.client != nil else {
            return refuse(slot, .notReady, detail: "no policy or no certificate for this unit yet; see sallyport status")
        }
        guard let found = policy.service(dialled: slot.pointee.dialled) else { return refuse(slot, .noSuchService) }
        slot.pointee.service = found.service
        let decision = unit.decide(dialling: found.service, policy)
        slot.pointee.decision = decision
        if !decision.allowed { return refuse(slot, decision) }
        dial(slot, mark: configuration.dialMark, stage: .dialling, from: .own)
    }

    /// Server side, last step before the application hears of it.
    func openTarget(_ slot: ConnectionPointer) {
        if slot.pointee.service?.deliversAsClient != true {
            return dial(slot, mark: configuration.deliveryMark, stage: .diallingTarget, from: .own)
        }
        let client = slot.pointee.source
        if let problem = problem(inDialling: slot.pointee.target, from: client) { return refuse(slot, .clientAddressUnusable, detail: problem) }
        dial(slot, mark: configuration.deliveryMark, stage: .diallingTarget, from: .client(client))
    }

    private func dial(_ slot: ConnectionPointer, mark: UInt32, stage: Stage, from origin: Origin) {
        let target = slot.pointee.target
        slot.pointee.stage = stage
        guard let unit = slot.pointee.unit, enterNamespace(of: unit) else {
            return refuse(slot, .dialFailed, detail: "the unit's network namespace cannot be entered")
        }
        let family = target.address.isV4 ? AF_INET : AF_INET6
        let fd = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if fd < 0 {
            let code = clinux_errno()
            return refuse(slot, code == EMFILE || code == ENFILE ? .outOfResources : .dialFailed, detail: words(code))
        }
        slot.pointee.far.fd = fd
        // Without the mark the connection would be intercepted again: a loop. So it is not made without.
        if !set(fd, SOL_SOCKET, SO_MARK, Int32(bitPattern: mark)) {
            return refuse(slot, .dialFailed, detail: "the socket cannot be marked: \(words(clinux_errno())); CAP_NET_ADMIN is needed")
        }
        set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        // What is said at once acknowledges the end of TCP's handshake, too: one packet less (tcp(7), TCP_QUICKACK).
        if stage == .dialling || speaksFirst(slot) { set(fd, Int32(IPPROTO_TCP), TCP_QUICKACK, 0) }
        var code: Int32 = 0
        if case .client(let client) = origin {
            code = takeAddress(fd, client)
            if code != 0 && code != EADDRINUSE {
                return refuse(slot, .clientAddressUnusable, detail: "the application cannot be dialled from \(client): \(words(code))")
            }
        }
        if code == 0 { code = connect(fd, to: target, for: unit) }
        if code != 0 && code != EINPROGRESS {
            if code == EADDRNOTAVAIL || code == EADDRINUSE {
                // Something listens on the client's own port, or an earlier connection of its still has it; any other does.
                if case .client(let client) = origin, client.port != 0 {
                    close(fd)
                    slot.pointee.far.fd = -1
                    return dial(slot, mark: mark, stage: stage, from: .client(SocketAddress(client.address, 0)))
                }
                return refuse(slot, .outOfPorts, detail: "every source port towards \(target) is taken; in the unit's namespace widen net.ipv4.ip_local_port_range or set net.ipv4.tcp_tw_reuse=1, or add targets")
            }
            return refuse(slot, .dialFailed, detail: words(code))
        }
        // As a rule an application in the same kernel has taken the connection by the time connect(2) returns.
        let isThere = stage == .diallingTarget && isEstablished(fd)
        slot.pointee.far.writable = isThere
        if !watch(slot, far: true, forRoom: !isThere) { return refuse(slot, .outOfResources, detail: words(clinux_errno())) }
        if isThere { return advance(slot) }
        timeouts.start(.dial, slot, now: now, in: slab)
    }

    /// Sets a socket option of 32 bits.
    /// - Returns: false if it could not be set.
    @discardableResult
    func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
        withUnsafePointer(to: value) { setsockopt(fd, level, option, $0, socklen_t(MemoryLayout<Int32>.size)) } == 0
    }

    /// Whether the application is told something before it speaks itself.
    private func speaksFirst(_ slot: ConnectionPointer) -> Bool {
        !slot.pointee.partial.isEmpty || tellsTarget(slot) || opensTargetTLS(slot)
    }

    /// Whether a connection that was begun stands; getpeername(2), ENOTCONN.
    private func isEstablished(_ fd: Int32) -> Bool {
        var raw = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        return withUnsafeMutablePointer(to: &raw) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(fd, $0, &length) }
        } == 0
    }

    /// Whether the far leg has come to be connected; refuses the connection if it failed.
    private func isConnected(_ slot: ConnectionPointer) -> Bool {
        if slot.far.pointee.writable == false && slot.far.pointee.readable == false { return false }
        if slot.far.pointee.writable && !slot.far.pointee.hungUp { return true }
        var code: Int32 = 0
        var length = socklen_t(4)
        getsockopt(slot.far.pointee.fd, SOL_SOCKET, SO_ERROR, &code, &length)
        if code != 0 {
            refuse(slot, .dialFailed, detail: words(code))
            return false
        }
        return slot.far.pointee.writable
    }

    /// Client side: the frontend has taken the connection.
    func dialled(_ slot: ConnectionPointer) {
        guard isConnected(slot), let unit = slot.pointee.unit, let service = slot.pointee.service else { return }
        let context: any TLSContext
        do throws(TLSFailure) {
            // Renewal never takes the old certificate away before the new one is there; a unit without one is gone.
            guard let found = try dialContext(for: service, unit) else { return refuse(slot, .notReady) }
            context = found
        } catch {
            return refuse(slot, .loadBalancerTlsFailed, detail: "loadBalancer.tls cannot be used: \(error.message)")
        }
        slot.pointee.stage = .handshaking
        timeouts.start(.handshake, slot, now: now, in: slab)
        let ticket = slot.pointee.unit?.tickets[slot.pointee.target]
        openSession(slot, slot.far, context, binding: [], ticket: ticket)
        handshake(slot)
    }

    /// Server side: the application has taken the connection.
    func targetDialled(_ slot: ConnectionPointer) {
        // The enforcer may have more to say, or reset, meanwhile; it is read once relaying begins.
        guard isConnected(slot) else { return }
        if !tellTarget(slot) { return end(slot, .resetByDestination, reset: true) }
        opensTargetTLS(slot) ? openTargetTLS(slot) : beginRelay(slot)
    }

    /// Whether the application speaks only TLS, and its client does not bring it.
    private func opensTargetTLS(_ slot: ConnectionPointer) -> Bool {
        guard slot.pointee.service?.tlsOnly == true else { return false }
        return switch slot.pointee.mode {
        case .innerTLS: false
        // Who dials the target port itself is given what listens there.
        case .external: slot.pointee.isPublic && !slot.pointee.carriesTLS
        case .wrapped, .deferred: true
        }
    }

    private func tellsTarget(_ slot: ConnectionPointer) -> Bool { slot.pointee.service.map { $0.targetProxyProtocol != .none } ?? false }

    /// `target.proxyProtocol`: tells the application who its client is, before all else.
    /// - Returns: false if the connection is gone.
    private func tellTarget(_ slot: ConnectionPointer) -> Bool {
        guard tellsTarget(slot), let service = slot.pointee.service else { return true }
        var header = ProxyHeader(service.targetProxyProtocol == .v1 ? .v1 : .v2, source: slot.pointee.source, destination: slot.pointee.dialled)
        if header.version == .v2, let identity = slot.pointee.peer?.identity {
            header.tlvs.others.append(ProxyTLV(type: ProxyTLV.spiffeID, value: Array(identity.spiffeID.utf8)))
        }
        guard let bytes = header.encode() else { return false }
        return sendBytes(slot.far, bytes, bytes.count, moreFollows: !slot.pointee.partial.isEmpty)
    }

    func openSession(
        _ slot: ConnectionPointer, _ leg: UnsafeMutablePointer<Leg>, _ context: any TLSContext, binding: [UInt8], ticket: TLSTicket?
    ) {
        leg.pointee.context = context
        leg.pointee.session = context.open(on: wire, binding: binding, ticket: ticket)
        leg.pointee.receivesTLS = true
        leg.pointee.sendsTLS = true
    }

    // MARK: - Namespaces

    /// Moves this thread into a unit's namespace, where a socket belongs that is made now. Only socket(2)
    /// looks at it, so the thread stays there until another unit's socket is made.
    private func enterNamespace(of unit: UnitState) -> Bool {
        if currentNamespace == unit.namespace { return true }
        if clinux_setns(unit.namespace ?? homeNamespace, Int32(CLINUX_CLONE_NEWNET)) != 0 { return false }
        currentNamespace = unit.namespace
        return true
    }

    func leaveNamespace() {
        if currentNamespace != nil && clinux_setns(homeNamespace, Int32(CLINUX_CLONE_NEWNET)) == 0 { currentNamespace = nil }
    }

    func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}
