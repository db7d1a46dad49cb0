// The interception of one network namespace: its listeners, and what leads connections to them.

import CNetfilter
import Linux
import Logging
import Synchronization

/// Takes up the connections of one processing unit.
///
/// Making one opens the listeners; nothing is led to them before the first `apply`. What that puts in force outlives the process:
/// after a crash it is refused, until the next interceptor of that namespace takes over.
/// Calls block for some 100 µs (a second for 100,000 frontends), so they are not for a worker's thread.
public final class Interceptor: Sendable {
    public enum Kind: Sendable {
        /// The unit is all of a network namespace.
        case container
        /// The unit is what runs in the enforcer's own namespace; what is forwarded through that to containers is not its.
        case host
    }

    /// What becomes of the unit's connections while no enforcer runs.
    public enum FailureMode: Sendable {
        /// They are refused.
        case closed
        /// They pass unprotected: the kernel removes table and programs with the enforcer's last descriptor, however it ended.
        /// Needs Linux 5.12 (`flags owner`).
        case open
    }

    /// A pair for each worker, in the unit's namespace. They stay open for as long as this interceptor is.
    public let listeners: [ListenerPair]

    public let namespace: NetworkNamespace
    private let unit: String
    private let kind: Kind
    private let table: SallyportTable
    /// Kept open: a change needs no descriptor then, and in `FailureMode.open` it owns the table.
    private let socket: NetfilterSocket
    private let logger: Logger
    private let marks: ConnectionMarks
    private let steering: SocketSteering?
    /// What another process may have left of its steering.
    private let pins: SteeringPins?
    /// The namespace, as programs know it; 0 where the kernel has no name for it.
    private let cookie: UInt64
    /// The lock also keeps transactions apart.
    private let inForce = Mutex(InForce())

    /// What the kernel was last given.
    private struct InForce {
        var redirection: Redirection?
        /// nil when that is not known.
        var elements: TableElements?
        var steered: SteeredNamespace?
        /// Whether steered connections are kept from others' nat; nil when that is not known.
        var isShielded: Bool?
        var routes = LoopbackRoutes.none
    }

    /// Opens the listeners.
    /// - Parameters:
    ///   - unit: The processing unit's "NAMESPACE/NAME", for the log.
    ///   - namespace: nil for the enforcer's own.
    ///   - workers: How many pairs of listeners to make, at least one.
    ///   - steering: Steers the unit's sockets, with pins if `failureMode` is closed; with nil its connections are led by nat.
    ///   - pins: Where an enforcer from before may have pinned its steering.
    public init(
        unit: String, namespace: NetworkNamespace?, kind: Kind, workers: Int, marks: ConnectionMarks = .standard,
        failureMode: FailureMode = .closed, steering: SocketSteering? = nil, pins: SteeringPins? = nil, logger: Logger
    ) throws {
        let namespace = if let namespace { namespace } else { try NetworkNamespace.own() }
        let name = namespace.name
        (socket, listeners) = try namespace.run {
            let socket = try NetfilterSocket(namespace: name)
            guard try loopbackIsUp() else { throw InterceptionError.loopbackDown(namespace: name) }
            return (socket, try makeListeners(workers: max(workers, 1), transparent: steering != nil))
        }
        self.unit = unit
        self.namespace = namespace
        self.marks = marks
        self.logger = logger
        table = SallyportTable(kind: kind, marks: marks, listeners: listeners, endsWithItsOwner: failureMode == .open)
        cookie = cnetfilter_namespace_cookie(listeners[0].incoming)
        self.kind = kind
        self.steering = steering
        self.pins = pins
    }

    deinit { close(listeners) }

    /// Intercepts what the unit dials at `frontends` and what arrives for `servedPorts`, and nothing else any more.
    /// `publicPorts` are intercepted as `servedPorts` are, and also for clients in the unit itself.
    /// With `deliversAsClient` the unit's answers come back to the enforcer where that dials the unit from its clients' addresses.
    ///
    /// A connection is intercepted, or refused, or goes as before; none that was intercepted slips past during a change.
    /// Connections that are open already go on as they are.
    /// - Throws: `InterceptionError`; what was in force stays so.
    public func apply(
        frontends: Set<InterceptedFrontend>, servedPorts: Set<UInt16>, publicPorts: Set<UInt16> = [], deliversAsClient: Bool = false
    ) throws(InterceptionError) {
        guard namespace.isPresent else { throw .namespaceVanished(namespace.name) }
        let elements = TableElements(
            frontends: frontends, servedPorts: servedPorts, publicPorts: publicPorts, deliversAsClient: deliversAsClient)
        let result = inForce.withLock { inForce in
            Result { () throws(InterceptionError) in
                if let steering = self.steering, inForce.redirection != .nat, !deliversAsClient {
                    let hasNat = try hasOthersNat(self.namespace, self.socket)
                    if self.kind == .host || !hasNat { return try self.steer(steering, to: elements, isShielded: hasNat, &inForce) }
                }
                try self.translate(elements, &inForce)
            }
        }
        try result.get()
    }

    /// Removes the table and the routes, and steers nothing any more. Whatever else is in the namespace stays, and so do the listeners.
    /// - Parameter keepingRoutes: Leaves the routes to `removeRoutes`, for connections that are open to end by.
    public func uninstall(keepingRoutes: Bool = false) throws(InterceptionError) {
        let result = inForce.withLock { inForce in
            let steered = inForce.steered
            inForce = InForce()
            return Result { () throws(InterceptionError) in
                try self.endSteering(steered)
                try self.socket.commit(SallyportTable.removal)
                if !keepingRoutes { try self.removeRoutes() }
            }
        }
        try result.get()
        logger.info("interception-removed", metadata: ["unit": "\(unit)"])
    }

    /// The rest of `uninstall(keepingRoutes: true)`.
    public func removeRoutes() throws(InterceptionError) { try LoopbackRoutes.none.set(in: namespace, marks) }

    /// Removes what an enforcer left behind in a namespace, but for what it has pinned (`SteeringPins.removeAll`); nothing happens where there is nothing.
    public static func uninstall(from namespace: NetworkNamespace, marks: ConnectionMarks = .standard) throws {
        try namespace.run { try NetfilterSocket(namespace: namespace.name).commit(SallyportTable.removal) }
        try LoopbackRoutes.none.set(in: namespace, marks)
    }

    /// How the unit's connections are led here since the last `apply`; nil before the first.
    public var redirection: Redirection? { inForce.withLock { $0.redirection } }

    /// Whether what was applied last should be applied again, since the namespace has changed.
    public var isOutdated: Bool {
        inForce.withLock { inForce in
            guard inForce.redirection == .steering, let hasNat = try? hasOthersNat(self.namespace, self.socket) else { return false }
            return self.kind == .container ? hasNat : hasNat != inForce.isShielded
        }
    }

    /// Leads by nat where sockets cannot be steered; where the unit is to see its clients' addresses, since whoever dials from such an address
    /// could not be told from the enforcer; and in a container with nat of its own, which would come first and turn a served port to one
    /// where nobody looks.
    ///
    /// What nat has led goes on by nat: without a chain of that type the kernel translates nothing any more, not even what is open.
    private func translate(_ elements: TableElements, _ inForce: inout InForce) throws(InterceptionError) {
        if steering != nil { try markAnswers(0) }
        try putTable(&inForce, elements)
        // Until here what others dialled was refused, and what the unit dialled was steered.
        try endSteering(inForce.steered)
        inForce.steered = nil
        // Connections that were steered before nat took over live on.
        try route(LoopbackRoutes(forAnswers: elements.deliversAsClient, forSteered: inForce.routes.forSteered), &inForce)
    }

    /// - Parameter isShielded: Whether others translate, and steered connections are to be kept from that.
    private func steer(
        _ steering: SocketSteering, to elements: TableElements, isShielded: Bool, _ inForce: inout InForce
    ) throws(InterceptionError) {
        if let steered = inForce.steered, let old = inForce.elements {
            try steered.change(from: old, to: elements)
            inForce.elements = elements
        } else {
            try markAnswers(marks.steered)
            // Steered connections need their route and their listener first.
            try route(LoopbackRoutes(forSteered: true), &inForce)
            let steered = try SteeredNamespace(steering, namespace, cookie: cookie, listeners, elements)
            try steered.begin()
            if steering.pins == nil { try releaseFromBefore() }
            inForce.steered = steered
            note(&inForce, elements, .steering)
        }
        if inForce.isShielded == isShielded { return }
        // What a table from before refuses stays refused until here.
        try socket.commit(table.besideSteering(isShielded: isShielded))
        inForce.isShielded = isShielded
    }

    private func endSteering(_ steered: SteeredNamespace?) throws(InterceptionError) {
        try steered?.end()
        try releaseFromBefore()
    }

    /// Ends the steering that an enforcer from before has pinned.
    private func releaseFromBefore() throws(InterceptionError) {
        try calling { () throws(SystemCallError) in try pins?.release(cookie) }
    }

    private func markAnswers(_ mark: UInt32) throws(InterceptionError) {
        try calling { () throws(SystemCallError) in try setAnswerMark(mark, of: listeners) }
    }

    private func route(_ wanted: LoopbackRoutes, _ inForce: inout InForce) throws(InterceptionError) {
        if inForce.routes == wanted { return }
        try wanted.set(in: namespace, marks)
        inForce.routes = wanted
    }

    /// The table of nat: a change of the one that is there, if that will do.
    private func putTable(_ inForce: inout InForce, _ elements: TableElements) throws(InterceptionError) {
        if inForce.redirection == .nat, let old = inForce.elements {
            if old == elements { return }
            if old.deliversAsClient == elements.deliversAsClient {
                do throws(InterceptionError) {
                    try socket.commit(SallyportTable.change(from: old, to: elements))
                    inForce.elements = elements
                    return
                } catch {
                    guard case .refused = error else { throw error }
                    logger.warning("interception-table-was-changed", metadata: ["unit": "\(unit)", "error": "\(error)"])
                }
            }
        }
        inForce.elements = nil
        try socket.commit(table.replacement(elements))
        note(&inForce, elements, .nat)
    }

    private func note(_ inForce: inout InForce, _ elements: TableElements, _ redirection: Redirection) {
        inForce.elements = elements
        inForce.redirection = redirection
        logger.info("interception-installed", metadata: [
            "unit": "\(unit)", "namespace": "\(namespace.name)", "redirection": "\(redirection)", "frontends": "\(elements.frontends.count)",
            "served_ports": "\(elements.servedPorts.count)",
        ])
    }
}

/// Whether loopback of the calling thread's namespace is up. A container's runtime sees to it, `ip netns add` does not.
private func loopbackIsUp() throws(SystemCallError) -> Bool {
    let socket = Descriptor(
        owning: try syscall("socket") { Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) })
    return try syscall("SIOCGIFFLAGS", "lo") { cnetfilter_interface_flags(socket.raw, "lo") } & Int32(IFF_UP) != 0
}
