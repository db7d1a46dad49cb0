// The interception of one network namespace: its listeners, and the table that leads connections to them.

import CNetfilter
import Linux
import Logging
import Synchronization

/// Takes up the connections of one processing unit.
///
/// Making one opens the listeners; nothing is redirected to them before the first `apply`. The table outlives the process:
/// after a crash what it redirects is refused, until the next interceptor of that namespace takes over.
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
        /// They pass unprotected: the kernel removes the table with the enforcer's last descriptor, however it ended.
        /// Needs Linux 5.12 (`flags owner`).
        case open
    }

    /// A pair for each worker, in the unit's namespace. They stay open for as long as this interceptor is.
    public let listeners: [ListenerPair]

    public let namespace: NetworkNamespace
    private let unit: String
    private let table: SallyportTable
    /// Kept open: a change needs no descriptor then, and in `FailureMode.open` it owns the table.
    private let socket: NetfilterSocket
    private let logger: Logger
    private let marks: ConnectionMarks
    private let steering: Steering?
    /// The lock also keeps transactions apart.
    private let inForce = Mutex(InForce())

    /// How sockets are steered, where they are.
    private struct Steering {
        let dials: DialSteering
        /// The namespace, as programs know it.
        let cookie: UInt64
    }

    /// What the kernel was last given.
    private struct InForce {
        /// nil when that is not known.
        var elements: TableElements?
        var redirection: Redirection?
        var routes = LoopbackRoutes.none
    }

    /// Opens the listeners.
    /// - Parameters:
    ///   - unit: The processing unit's "NAMESPACE/NAME", for the log.
    ///   - namespace: nil for the enforcer's own.
    ///   - workers: How many pairs of listeners to make, at least one.
    ///   - steering: Steers the unit's sockets; with nil its connections are led by nat.
    public init(
        unit: String, namespace: NetworkNamespace?, kind: Kind, workers: Int, marks: ConnectionMarks = .standard,
        failureMode: FailureMode = .closed, steering: DialSteering? = nil, logger: Logger
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
        let cookie = cnetfilter_namespace_cookie(listeners[0].incoming)
        self.steering = steering.map { Steering(dials: $0, cookie: cookie) }
    }

    deinit {
        stopSteering()
        close(listeners)
    }

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
                if let steering = self.steering, self.redirection(inForce) == .steering {
                    try self.steer(steering, to: elements, &inForce)
                } else {
                    try self.translate(elements, &inForce)
                }
            }
        }
        try result.get()
    }

    /// Removes the table and the routes, and steers nothing any more. Whatever else is in the namespace stays, and so do the listeners.
    /// - Parameter keepingRoutes: Leaves the routes to `removeRoutes`, for connections that are open to end by.
    public func uninstall(keepingRoutes: Bool = false) throws(InterceptionError) {
        let result = inForce.withLock { inForce in
            let elements = inForce.redirection == .steering ? inForce.elements : nil
            inForce = InForce()
            return Result { () throws(InterceptionError) in
                // What is steered no more must not be refused for that.
                if let elements { _ = try? self.socket.commit(SallyportTable.change(from: elements, to: elements.withoutFrontends)) }
                self.stopSteering()
                try self.socket.commit(SallyportTable.removal)
                if !keepingRoutes { try self.removeRoutes() }
            }
        }
        try result.get()
        logger.info("interception-removed", metadata: ["unit": "\(unit)"])
    }

    /// The rest of `uninstall(keepingRoutes: true)`.
    public func removeRoutes() throws(InterceptionError) { try LoopbackRoutes.none.set(in: namespace, marks) }

    /// Removes what an enforcer left behind in a namespace; nothing happens where there is nothing.
    public static func uninstall(from namespace: NetworkNamespace, marks: ConnectionMarks = .standard) throws {
        try namespace.run { try NetfilterSocket(namespace: namespace.name).commit(SallyportTable.removal) }
        try LoopbackRoutes.none.set(in: namespace, marks)
    }

    /// Whether what was applied last should be applied again, since the namespace has changed.
    public var isOutdated: Bool {
        inForce.withLock { inForce in
            inForce.redirection == .steering && self.redirection(inForce) == .nat
        }
    }

    /// nat where sockets cannot be steered, and in a namespace with a bridge: br_netfilter takes its packets through prerouting before the IP layer
    /// does, which then forgets which listener they were given to (skb_orphan, ip_rcv_core).
    /// What nat has led goes on by nat: without a chain of that type the kernel translates nothing any more, not even what is open.
    private func redirection(_ inForce: InForce) -> Redirection {
        if steering == nil || inForce.redirection == .nat { return .nat }
        let isFiltered = access("/proc/sys/net/bridge", F_OK) == 0 && cnetfilter_has_bridge(listeners[0].incoming) != 0
        return isFiltered ? .nat : .steering
    }

    private func translate(_ elements: TableElements, _ inForce: inout InForce) throws(InterceptionError) {
        stopSteering()
        if steering != nil { try markAnswers(0) }
        try replace(&inForce, with: elements, by: .nat)
        // Connections that were steered before nat took over live on.
        try route(LoopbackRoutes(forAnswers: elements.deliversAsClient, forSteered: inForce.routes.forSteered), &inForce)
    }

    /// Steers what the unit dials, and has the table refuse what is not steered. What is new is steered before that, and what is not wanted
    /// any more is let go of after it, so that nothing is refused in between. Each step does nothing where it was done before.
    private func steer(_ steering: Steering, to elements: TableElements, _ inForce: inout InForce) throws(InterceptionError) {
        if inForce.redirection != .steering || inForce.elements == nil {
            try markAnswers(marks.steered)
            // Steered connections need their listener and their route first. Where there was no table, the unit goes on dialling its frontends
            // meanwhile; where there is that of an enforcer that crashed, they stay refused.
            if try !install(&inForce, elements.withoutFrontends) { try replace(&inForce, with: elements, by: .steering) }
        }
        try route(LoopbackRoutes(forAnswers: elements.deliversAsClient, forSteered: true), &inForce)
        try steering.dials.steer(elements.frontends.union(inForce.elements?.frontends ?? []), in: steering.cookie, for: self)
        try replace(&inForce, with: elements, by: .steering)
        try steering.dials.steer(elements.frontends, in: steering.cookie, for: self)
    }

    private func stopSteering() {
        if let steering { steering.dials.release(steering.cookie, of: self) }
    }

    private func markAnswers(_ mark: UInt32) throws(InterceptionError) {
        do throws(SystemCallError) { try setAnswerMark(mark, of: listeners) } catch { throw .system(error) }
    }

    /// What needs a route and has none fails: its packets go elsewhere, where the table refuses them.
    private func route(_ wanted: LoopbackRoutes, _ inForce: inout InForce) throws(InterceptionError) {
        if inForce.routes == wanted { return }
        try wanted.set(in: namespace, marks)
        inForce.routes = wanted
    }

    /// Makes the table beside which sockets are steered.
    /// - Returns: false, with nothing changed, where there is a table already.
    private func install(_ inForce: inout InForce, _ elements: TableElements) throws(InterceptionError) -> Bool {
        do throws(InterceptionError) {
            try socket.commit(table.creation(elements, by: .steering))
        } catch {
            guard case .refused = error else { throw error }
            return false
        }
        note(&inForce, elements, .steering)
        return true
    }

    private func replace(_ inForce: inout InForce, with elements: TableElements, by redirection: Redirection) throws(InterceptionError) {
        if inForce.elements == elements && inForce.redirection == redirection { return }
        if let old = inForce.elements, old.deliversAsClient == elements.deliversAsClient, inForce.redirection == redirection {
            do throws(InterceptionError) {
                try socket.commit(SallyportTable.change(from: old, to: elements))
                inForce.elements = elements
                return
            } catch {
                guard case .refused = error else { throw error }
                logger.warning("interception-table-was-changed", metadata: ["unit": "\(unit)", "error": "\(error)"])
            }
        }
        inForce.elements = nil
        try socket.commit(table.replacement(elements, by: redirection))
        note(&inForce, elements, redirection)
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
