// What a worker does with messages from the control plane: new generations, units that come and go.

import FlowLog
import Identity
import Linux
import Policy
import TLSBoringSSL
import TLSEngine

extension Worker {
    func receive(_ message: WorkerMessage) {
        switch message {
        case .publish(let generation): publish(generation)
        case .rename(let names, let changed): rename(names, changed)
        case .nameless(let answers): nameless(answers)
        case .namesDue(let addresses): namesDue(addresses)
        case .add(let key, let number, let sockets, let namespace): add(key, number, sockets, namespace)
        case .remove(let key): remove(key)
        case .drain: drain()
        case .stop: isStopped = true
        }
    }

    private func publish(_ new: Generation) {
        let old = generation
        generation = new
        knownPeers.removeAll(keepingCapacity: true)
        knownNetworks.removeAll(keepingCapacity: true)
        flowRules.removeAll(keepingCapacity: true)
        targetContexts.removeAll()
        envelopes.removeAll()
        publicContexts = publicContexts.filter { new.publicCredentials[$0.key] == $0.value.credentials }
        let trustChanged = old?.trust.generation != new.trust.generation
        if trustChanged || verifier == nil { verifier = PeerVerifier(trust: new.trust) }
        for unit in units.values { update(unit, trustChanged: trustChanged) }
        sourceNames.forgetNameless()
        sourceNames.follow(new.snapshot)
        // Also when only trust changed: a peer's root may have gone.
        judgeLiveFlows { _ in true }
        settleNames { _ in true }
    }

    private func rename(_ names: [IPAddress: [String]], _ changed: Set<IPAddress>) {
        guard let renamed = generation?.with(names: names) else { return }
        generation = renamed
        sourceNames.follow(renamed.snapshot)
        judgeLiveFlows { $0.pointee.mode == .external && changed.contains($0.pointee.source.address) }
        settleNames(of: changed.contains)
    }

    private func update(_ unit: UnitState, trustChanged: Bool) {
        guard let generation else { return }
        unit.policy = generation.snapshot.unit(unit.key)
        unit.forgetDecisions()
        if let policy = unit.policy, policy.tags != unit.party.endpoint.tags {
            unit.party = FlowParty(kind: .processingUnit, namespace: unit.key.namespace, name: unit.key.name, tags: policy.tags)
        }
        let credentials = generation.credentials[unit.key]
        if credentials === unit.credentials && !trustChanged { return }
        unit.credentials = credentials
        unit.tickets.removeAll()
        unit.client = nil
        unit.server = nil
        guard let credentials else { return }
        // A context that cannot be made leaves the unit without one: its flows are refused as not ready.
        unit.client = try? BoringContext(options(credentials, .client))
        unit.server = try? BoringContext(options(credentials, .server))
    }

    private func options(_ credentials: UnitCredentials, _ role: TLSRole) -> TLSOptions {
        TLSOptions(
            role: role, chain: credentials.chain, privateKey: credentials.privateKey,
            applicationProtocols: ["\(EnforcerProtocol.name)"],
            requiresApplicationProtocol: true, verification: .byThread, ticketKey: configuration.resumption ? ticketKeys.enforcers : nil)
    }

    private func add(_ key: UnitKey, _ number: UInt32, _ sockets: UnitSockets, _ namespace: Int32?) {
        let unit = UnitState(key: key, number: number, sockets: sockets, namespace: namespace)
        let slot = Int32(bitPattern: number)
        units[slot] = unit
        unitNumbers[key] = slot
        update(unit, trustChanged: true)
        for (socket, outgoing) in [(sockets.outgoing, true), (sockets.incoming, false)] {
            // Level-triggered: what one turn does not accept is told again.
            _ = clinux_epoll_ctl(epoll, EPOLL_CTL_ADD, socket, EPOLLIN.rawValue, EventToken.listener(unit: slot, outgoing: outgoing).raw)
        }
    }

    private func remove(_ key: UnitKey) {
        guard let slot = unitNumbers.removeValue(forKey: key), let unit = units[slot] else { return }
        stopAccepting(unit)
        unit.isRemoved = true
        for index in 0..<slab.capacity where slab[index].pointee.isLive && slab[index].pointee.unit === unit {
            end(slab[index], .policyChanged, reset: true)
        }
        units[slot] = nil
        if let namespace = unit.namespace {
            if currentNamespace == namespace { leaveNamespace() }
            close(namespace)
        }
    }

    private func stopAccepting(_ unit: UnitState) {
        for socket in [unit.sockets.outgoing, unit.sockets.incoming] {
            _ = clinux_epoll_ctl(epoll, EPOLL_CTL_DEL, socket, 0, 0)
            close(socket)
        }
    }

    private func drain() {
        isDraining = true
        for unit in units.values { stopAccepting(unit) }
        // Nobody will bring names any more.
        settleNames { _ in true }
        for index in 0..<slab.capacity where slab[index].pointee.isLive {
            timeouts.start(.drain, slab[index], now: now, in: slab)
        }
    }

    /// Judges flows that policy once allowed by the policy that is in force now.
    private func judgeLiveFlows(where isMeant: (ConnectionPointer) -> Bool) {
        for index in 0..<slab.capacity {
            let slot = slab[index]
            // A load balancer's own connection may not have been decided yet.
            let isUndelivered = slot.pointee.stage.isUndelivered && slot.pointee.decision != nil
            guard slot.pointee.isLive, isUndelivered || slot.pointee.stage == .relaying || slot.pointee.stage == .diallingTarget
                || slot.pointee.stage == .targetHandshaking, isMeant(slot), let unit = slot.pointee.unit
            else { continue }
            guard let verdict = judgement(of: slot), verdict.allowed else {
                // For the application it is a new flow, and for those the new policy holds at once.
                if isUndelivered {
                    end(slot, .policyChanged, reset: true)
                    continue
                }
                switch unit.policy?.onPolicyChange {
                case .keep: break
                case .drain: if slot.pointee.queue != .drain { timeouts.start(.drain, slot, now: now, in: slab) }
                default: end(slot, .policyChanged, reset: true)
                }
                continue
            }
            slot.pointee.decision = verdict
            askNamesOfLiveFlow(slot)
            // Allowed again before its time was up.
            if slot.pointee.queue == .drain && !isDraining { timeouts.stop(slot, in: slab) }
        }
    }

    /// What today's policy says of a flow with a known peer; nil if it does not even see it.
    private func judgement(of slot: ConnectionPointer) -> Decision? {
        guard let policy = slot.pointee.unit?.policy else { return nil }
        let peer: KnownPeer
        if slot.pointee.mode == .external {
            peer = knownNetwork(slot.pointee.source.address, for: policy)
        } else {
            guard let identity = slot.pointee.peer?.identity else { return nil }
            peer = known(identity)
        }
        slot.pointee.peer = peer
        if slot.pointee.side == .client {
            // An address that has left DNS is no frontend any more; its flows are the service's all the same.
            let following = policy.service(dialled: slot.pointee.dialled)?.service ?? slot.pointee.service.flatMap(policy.service(following:))
            guard let service = following, policy.satisfies(peer.tags, targetOf: service) else { return nil }
            slot.pointee.service = service
            return policy.decide(.outgoing, peer: peer.tags, ports: FlowPorts(target: service.targetPort, dialled: slot.pointee.dialled.port))
        }
        return policy.decide(.incoming, peer: peer.tags, ports: incomingPorts(slot, policy))
    }

    // MARK: - Peers

    func known(_ identity: PeerIdentity) -> KnownPeer {
        if let known = knownPeers[ObjectIdentifier(identity)] { return known }
        let peer = KnownPeer(
            identity: identity, tags: generation?.snapshot.intern(identity.tags) ?? .unknown,
            party: FlowParty(kind: .processingUnit, namespace: identity.namespace, name: identity.name, tags: identity.tags))
        // As many as there are peers; a generation's own, so they cannot pile up past a change of policy.
        if knownPeers.count >= 4096 { knownPeers.removeAll(keepingCapacity: true) }
        knownPeers[ObjectIdentifier(identity)] = peer
        return peer
    }

    /// A peer that is no enforcer: the most specific external network that has its address, or nobody.
    func knownNetwork(_ address: IPAddress, for unit: UnitPolicy) -> KnownPeer {
        guard let match = generation?.snapshot.external(address, for: unit) else {
            return KnownPeer(identity: nil, tags: .unknown, party: .unknown)
        }
        let path = "\(match.namespace)/\(match.name)"
        if let known = knownNetworks[path] { return known }
        let peer = KnownPeer(
            identity: nil, tags: match.tags,
            party: FlowParty(kind: .externalNetwork, namespace: match.namespace, name: match.name, tags: match.externalTags))
        knownNetworks[path] = peer
        return peer
    }

    func flowRule(_ rule: RuleReference) -> FlowRule {
        if let known = flowRules[ObjectIdentifier(rule)] { return known }
        let made = rule.isDefault
            ? FlowRule(defaultOf: rule.namespace) : FlowRule(namespace: rule.namespace, ruleset: rule.ruleset, rule: rule.rule)
        flowRules[ObjectIdentifier(rule)] = made
        return made
    }

    /// The thread's verdict on a chain, asked for by the TLS library in the handshake.
    func verify(_ chain: [[UInt8]]) -> TLSPeerVerdict {
        verified = nil
        verificationError = nil
        guard let verifier else { return .refused(alert: 80) }  // internal_error
        switch verifier.verify(chain: chain, now: clinux_realtime() / 1_000_000_000) {
        case .success(let identity):
            verified = identity
            return .accepted
        case .failure(let error):
            verificationError = error
            return .refused(alert: error.alert)
        }
    }
}
