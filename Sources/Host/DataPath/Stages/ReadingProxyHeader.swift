// Server side, before all else: what a load balancer says of its client. docs/proxy-protocol.md.

import FlowLog
import Linux
import Policy
import ProxyProtocol
import TLSEngine

extension Worker {
    /// Whether a header is awaited from this TCP peer: one of the services on the port takes them from its address.
    func awaitsProxyHeader(_ slot: ConnectionPointer, _ services: [Service]) -> Bool {
        guard let trusting = services.first(where: { $0.proxyProtocol?.trusts(slot.pointee.tcpPeer.address) == true }) else { return false }
        slot.pointee.service = trusting
        slot.pointee.stage = .readingProxyHeader
        timeouts.start(.proxyHeader, slot, now: now, in: slab)
        return true
    }

    func readProxyHeader(_ slot: ConnectionPointer) {
        switch receiveWire(slot.near, limit: 64 * 1024) {
        case .nothing: return
        case .failed(let code): return slot.pointee.partial.isEmpty ? healthCheck(slot) : refuse(slot, .badProxyHeader, detail: words(code))
        case .end:
            if slot.pointee.partial.isEmpty { return healthCheck(slot) }
            return refuse(slot, .badProxyHeader, detail: "the connection ended inside the header")
        case .bytes: break
        }
        holdWire(slot)
        switch ProxyHeader.parse(slot.pointee.partial.bytes) {
        case .incomplete: return
        case .malformed(let what): refuse(slot, .badProxyHeader, detail: what)
        case .absent:
            if slot.pointee.service?.proxyProtocol?.isRequired == true {
                return refuse(slot, .proxyHeaderMissing, detail: "\(slot.pointee.tcpPeer.address) is in the service's subnets and sent none; let the load balancer send it, or set header: optional")
            }
            headerTaken(slot)
        case .header(let header, let length):
            slot.pointee.partial.removeFirst(length)
            take(header, slot)
            if isSecondHeader(slot) { return refuse(slot, .badProxyHeader, detail: "a second header behind the first; one load balancer too many adds it") }
            headerTaken(slot)
        }
    }

    /// Nothing came for as long as a header may take.
    func proxyHeaderOverdue(_ slot: ConnectionPointer) {
        if slot.pointee.partial.isEmpty && slot.pointee.service?.proxyProtocol?.isRequired != true {
            slot.pointee.stage = .sniffing
            return nothingHeard(slot)
        }
        refuse(slot, .proxyHeaderTimeout)
    }

    private func take(_ header: ProxyHeader, _ slot: ConnectionPointer) {
        slot.pointee.proxyVersion = header.version.rawValue
        slot.pointee.isLocal = header.command == .local
        // LOCAL, UNKNOWN and Unix sockets name no address: the TCP peer is the source.
        if let source = header.source { slot.pointee.source = source }
        if let destination = header.destination { slot.pointee.dialled = destination }
        slot.pointee.proxyDetails = FlowProxyDetails(header.tlvs)
    }

    private func isSecondHeader(_ slot: ConnectionPointer) -> Bool {
        switch ProxyHeader.parse(slot.pointee.partial.bytes) {
        case .header, .malformed: true
        case .incomplete, .absent: false
        }
    }

    /// Goes on with what came behind the header.
    private func headerTaken(_ slot: ConnectionPointer) {
        slot.pointee.stage = .sniffing
        timeouts.start(.sniff, slot, now: now, in: slab)
        if !slot.pointee.partial.isEmpty { sniffHeld(slot) } else if slot.near.pointee.readable { sniff(slot) }
    }

    /// What a peer that is not in the subnets sends first, where the service takes headers from others: a header there means
    /// that the load balancer hides behind its clients' addresses.
    /// - Returns: true if it was one, and was refused.
    func refusesUntrustedHeader(_ slot: ConnectionPointer) -> Bool {
        guard slot.pointee.proxyVersion == 0, let service = headerTaker(slot),
            service.proxyProtocol?.trusts(slot.pointee.tcpPeer.address) == false
        else { return false }
        switch ProxyHeader.parse(slot.pointee.partial.bytes) {
        case .absent, .incomplete: return false
        case .header, .malformed:
            slot.pointee.service = service
            refuse(
                slot, .proxyHeaderUntrusted,
                detail: "\(slot.pointee.tcpPeer.address) is in none of the subnets of \(service.path): the load balancer probably preserves client addresses, which must be off where it sends PROXY headers; or add its subnet")
            return true
        }
    }

    private func headerTaker(_ slot: ConnectionPointer) -> Service? {
        if slot.pointee.isPublic { return slot.pointee.service?.proxyProtocol == nil ? nil : slot.pointee.service }
        return slot.pointee.unit?.policy?.services(targetPort: slot.pointee.target.port).first { $0.proxyProtocol != nil }
    }

    /// Moves what was just received behind what is held already.
    func holdWire(_ slot: ConnectionPointer) {
        slot.pointee.partial.append(wire.pointee.input + wire.pointee.inputStart, wire.pointee.inputEnd - wire.pointee.inputStart)
        wire.pointee.clear()
    }

    /// Connected, and left without a word: a load balancer's look at whether the server is there. No application hears of it.
    func healthCheck(_ slot: ConnectionPointer) {
        counters.healthChecks.wrappingAdd(1, ordering: .relaxed)
        discard(slot, reset: false)
    }
}

extension FlowProxyDetails {
    /// - Returns: nil if the header said nothing that is recorded.
    fileprivate convenience init?(_ tlvs: ProxyTLVs) {
        self.init(
            authority: tlvs.authority ?? "", alpn: tlvs.alpn.map { String(decoding: $0, as: UTF8.self) } ?? "", uniqueID: tlvs.uniqueID ?? [],
            tlsVersion: tlvs.ssl?.version ?? "",
            clientCommonName: tlvs.ssl?.verify == 0 ? tlvs.ssl?.commonName ?? "" : "", vpcEndpointID: tlvs.vpcEndpointID ?? "")
        if isEmpty { return nil }
    }
}
