// Server side: where policy has external networks by wildcard, "*.example.com", a client's names may decide. The control plane finds
// them out; until they are known the client waits, and nobody else does.

import Linux
import Policy

/// What a worker remembers of addresses whose names were asked for.
struct SourceNames {
    /// An address without a name that matters.
    struct Nameless {
        /// When to ask again, ns.
        let until: UInt64
        /// It has none; otherwise it could not be found out.
        let isCertain: Bool
    }

    /// Past this many all are forgotten: the control plane remembers, too.
    private static let limit = 65_536

    private var nameless: [IPAddress: Nameless] = [:]
    /// Those with a name that is to be asked for again if anybody uses it.
    var due: Set<IPAddress> = []

    /// - Returns: nil if the address is to be asked for.
    func answer(about address: IPAddress, at now: UInt64) -> Nameless? { nameless[address].flatMap { $0.until > now ? $0 : nil } }

    mutating func remember(_ address: IPAddress, _ what: Nameless) {
        if nameless.count >= SourceNames.limit { nameless.removeAll() }
        nameless[address] = what
    }

    /// Policy is another one, and may ask for names that did not matter.
    mutating func forgetNameless() { nameless.removeAll() }

    /// Only what is known can be due.
    mutating func follow(_ snapshot: PolicySnapshot) {
        if !due.isEmpty { due = due.filter { snapshot.names[$0] != nil } }
    }
}

/// What is known of the names of a connection's source.
enum SourceName {
    /// They are known, or do not matter.
    case settled
    /// They could not be found out.
    case unknown
    /// They are being asked for.
    case awaited
}

extension Worker {
    /// Looks whether the names of the source may decide and are not known; then the connection waits, unless it has done so for as long as it may.
    func sourceName(_ slot: ConnectionPointer, _ policy: UnitPolicy, _ ports: FlowPorts) -> SourceName {
        let address = slot.pointee.source.address
        if generation?.snapshot.names[address] != nil {
            if !sourceNames.due.isEmpty && sourceNames.due.remove(address) != nil { askNames(address) }
            return .settled
        }
        // A load balancer's own connection: a check of health that waits would fail.
        if slot.pointee.isLocal { return .settled }
        let known = sourceNames.answer(about: address, at: now)
        if known?.isCertain == true || !policy.hangsOnNames(of: address, ports: ports) { return .settled }
        if known != nil || slot.pointee.isNameOverdue || isDraining { return .unknown }
        if slot.pointee.queue != .name {
            timeouts.start(.name, slot, now: now, in: slab)
            askNames(address)
        }
        return .awaited
    }

    /// A live flow that policy allows without its source's names is judged again once they are known.
    func askNamesOfLiveFlow(_ slot: ConnectionPointer) {
        let address = slot.pointee.source.address
        guard slot.pointee.mode == .external, !slot.pointee.isLocal, let snapshot = generation?.snapshot, snapshot.names[address] == nil,
            sourceNames.answer(about: address, at: now) == nil, let policy = slot.pointee.unit?.policy,
            policy.hangsOnNames(of: address, ports: incomingPorts(slot, policy))
        else { return }
        askNames(address)
    }

    /// The client has said what it must, and its names are to come. What it says meanwhile stays in the socket.
    func awaitName(_ slot: ConnectionPointer) {
        var byte: UInt8 = 0
        // Only a reset tells that it has gone: one that has ended its half may read the answer.
        guard slot.near.pointee.hungUp, recv(slot.near.pointee.fd, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) < 0 else { return }
        let code = clinux_errno()
        if code != EAGAIN && code != EINTR { end(slot, .resetBySource, reset: true) }
    }

    func nameOverdue(_ slot: ConnectionPointer) {
        slot.pointee.isNameOverdue = true
        nameKnown(slot)
    }

    /// Takes answers without a name: for how long each holds, and whether it is certain.
    func nameless(_ answers: [IPAddress: (time: Duration, isCertain: Bool)]) {
        for (address, answer) in answers {
            sourceNames.remember(address, SourceNames.Nameless(until: now &+ nanoseconds(answer.time), isCertain: answer.isCertain))
        }
        settleNames { answers[$0] != nil }
    }

    /// Goes on with the connections that wait for names of these addresses.
    func settleNames(of isMeant: (IPAddress) -> Bool) {
        let waiting = timeouts.waiting(.name, in: slab).filter { isMeant(slab[$0].pointee.source.address) }
        for index in waiting where slab[index].pointee.isLive && slab[index].pointee.queue == .name { nameKnown(slab[index]) }
    }

    /// Goes on where the connection waited: with what is known now it may have to wait on.
    private func nameKnown(_ slot: ConnectionPointer) {
        wire.pointee.clear()
        switch slot.pointee.stage {
        case .awaitingName: stranger(slot)
        case .sniffing: nothingHeard(slot)
        default: break
        }
    }

    /// Names of these addresses are to be asked for again: at once for those with live flows, for others when they come again.
    func namesDue(_ addresses: [IPAddress]) {
        guard let snapshot = generation?.snapshot else { return }
        sourceNames.due.formUnion(addresses.filter { snapshot.names[$0] != nil })
        for index in 0..<slab.capacity where !sourceNames.due.isEmpty {
            let slot = slab[index]
            guard slot.pointee.isLive, slot.pointee.mode == .external, slot.pointee.decision != nil else { continue }
            if sourceNames.due.remove(slot.pointee.source.address) != nil { askNames(slot.pointee.source.address) }
        }
    }
}
