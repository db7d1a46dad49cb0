// Steering in the network namespace of one unit.

import CBPF
import Linux

/// Hands the connections of one unit to its listeners: a program of BPF is asked where the kernel looks for a listener
/// (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9), which it does once for each connection that comes. No packet is looked at besides.
///
/// As long as it is pinned (`SteeringPins`), what has no listener any more is refused. Making one takes the place of what is pinned already.
final class SteeredNamespace: Sendable {
    private let steering: SocketSteering
    /// The namespace, as programs know it.
    private let cookie: UInt64
    private let frontends: BPFMap
    /// `ServedPort` by port.
    private let ports: BPFMap
    private let sockets: BPFMap
    private let link: Descriptor

    /// Hands what others dial at the ports of `elements` to the listeners from now on, and what the unit dials at its frontends after `begin`.
    init(
        _ steering: SocketSteering, _ namespace: NetworkNamespace, cookie: UInt64, _ listeners: [ListenerPair], _ elements: TableElements
    ) throws(InterceptionError) {
        self.steering = steering
        self.cookie = cookie
        frontends = try calling { () throws(SystemCallError) in try makeFrontends(elements.frontends) }
        ports = try calling { () throws(SystemCallError) in try makePorts(elements, listeners) }
        sockets = try calling { () throws(SystemCallError) in try makeSockets(listeners) }
        let (notes, served, choices) = (steering.notes, ports.descriptor.raw, sockets.descriptor.raw)
        let workers = UInt32(listeners.count)
        let program = try BPFProgram(BPF_PROG_TYPE_SK_LOOKUP, for: BPF_SK_LOOKUP, name: "sallyport_listen") {
            $0.chooseListener(cookie: cookie, workers: workers, notes: notes, served: served, listeners: choices)
        }
        link = try namespace.withDescriptor { (raw) throws(InterceptionError) in
            try attach(program, to: raw, steering.pins, "\(cookie)")
        }
    }

    /// Steers what the unit dials, and no more what another steered there.
    func begin() throws(InterceptionError) {
        try calling { () throws(SystemCallError) in try steering.steer(in: cookie, frontends, to: sockets, for: self) }
    }

    /// What is new is steered before what is not wanted any more is let go of.
    /// - Throws: Nothing has changed then, as far as the kernel can still do that.
    func change(from old: TableElements, to new: TableElements) throws(InterceptionError) {
        let added = new.frontends.subtracting(old.frontends)
        try calling { () throws(SystemCallError) in
            do throws(SystemCallError) {
                for frontend in added { try frontends.add(frontend) }
                for port in new.servedPorts where !old.servedPorts.contains(port) || old.use(of: port) != new.use(of: port) {
                    try ports.set(UInt32(port), to: new.use(of: port))
                }
            } catch {
                for frontend in added { _ = try? frontends.remove(FrontendKey(frontend)) }
                for port in new.servedPorts.subtracting(old.servedPorts) { _ = try? ports.remove(UInt32(port)) }
                throw error
            }
            for frontend in old.frontends.subtracting(new.frontends) { try frontends.remove(FrontendKey(frontend)) }
            for port in old.servedPorts.subtracting(new.servedPorts) { try ports.remove(UInt32(port)) }
        }
    }

    /// Steers nothing any more, unless another has taken the namespace over.
    func end() throws(InterceptionError) {
        try calling { () throws(SystemCallError) in try steering.release(cookie, link, of: self) }
    }

    deinit {
        // What is pinned stays, for the next.
        if steering.pins == nil { try? end() }
    }
}

/// A trie of what a unit dials. The values are how often each was dialled, so that its dials go to the workers in turn.
func makeFrontends(_ frontends: Set<InterceptedFrontend>) throws(SystemCallError) -> BPFMap {
    let map = try BPFMap(
        BPF_MAP_TYPE_LPM_TRIE, keySize: MemoryLayout<FrontendKey>.size, most: 4 << 20, flags: UInt32(BPF_F_NO_PREALLOC), name: "sallyport_front")
    for frontend in frontends { try map.add(frontend) }
    return map
}

private func makePorts(_ elements: TableElements, _ listeners: [ListenerPair]) throws(SystemCallError) -> BPFMap {
    let map = try BPFMap(
        BPF_MAP_TYPE_HASH, keySize: MemoryLayout<UInt32>.size, most: 1 << 16, flags: UInt32(BPF_F_NO_PREALLOC), name: "sallyport_ports")
    for port in elements.servedPorts { try map.set(UInt32(port), to: elements.use(of: port)) }
    for pair in listeners {
        for port in [pair.outgoingPort, pair.incomingPort] { try map.set(UInt32(port), to: ServedPort.listener.rawValue) }
    }
    return map
}

/// The outgoing listeners, and then the incoming ones.
func makeSockets(_ listeners: [ListenerPair]) throws(SystemCallError) -> BPFMap {
    let map = try BPFMap(BPF_MAP_TYPE_SOCKMAP, keySize: MemoryLayout<UInt32>.size, most: max(2 * listeners.count, 1), name: "sallyport_socks")
    for (index, socket) in (listeners.map(\.outgoing) + listeners.map(\.incoming)).enumerated() { try map.set(UInt32(index), descriptor: socket) }
    return map
}

extension BPFMap {
    /// Whose turn it is starts anywhere, or many frontends that are dialled once would all begin with the same worker.
    fileprivate func add(_ frontend: InterceptedFrontend) throws(SystemCallError) { try set(FrontendKey(frontend), to: UInt32.random(in: 0..<1 << 16)) }
}

extension TableElements {
    fileprivate func use(of port: UInt16) -> UInt32 { (publicPorts.contains(port) ? ServedPort.published : .served).rawValue }
}
