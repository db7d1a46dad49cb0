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
    /// The lock also keeps transactions apart.
    private let inForce = Mutex(InForce())

    /// What the kernel was last given.
    private struct InForce {
        /// nil when that is not known.
        var elements: TableElements?
        var hasReturnRoute = false
    }

    /// Opens the listeners.
    /// - Parameters:
    ///   - unit: The processing unit's "NAMESPACE/NAME", for the log.
    ///   - namespace: nil for the enforcer's own.
    ///   - workers: How many pairs of listeners to make, at least one.
    public init(
        unit: String, namespace: NetworkNamespace?, kind: Kind, workers: Int, marks: ConnectionMarks = .standard,
        failureMode: FailureMode = .closed, logger: Logger
    ) throws {
        let namespace = if let namespace { namespace } else { try NetworkNamespace.own() }
        let name = namespace.name
        (socket, listeners) = try namespace.run {
            let socket = try NetfilterSocket(namespace: name)
            guard try loopbackIsUp() else { throw InterceptionError.loopbackDown(namespace: name) }
            return (socket, try makeListeners(workers: max(workers, 1)))
        }
        self.unit = unit
        self.namespace = namespace
        self.marks = marks
        self.logger = logger
        table = SallyportTable(kind: kind, marks: marks, listeners: listeners, endsWithItsOwner: failureMode == .open)
    }

    deinit { close(listeners) }

    /// Intercepts what the unit dials at `frontends` and what arrives for `servedPorts`, and nothing else any more.
    /// `publicPorts` are intercepted as `servedPorts` are, and also for clients in the unit itself.
    /// With `deliversAsClient` the unit's answers come back to the enforcer where that dials the unit from its clients' addresses.
    ///
    /// All of the table comes into force at one moment. Connections that are open already go on as they are.
    /// - Throws: `InterceptionError`; the table that was in force stays so.
    public func apply(
        frontends: Set<InterceptedFrontend>, servedPorts: Set<UInt16>, publicPorts: Set<UInt16> = [], deliversAsClient: Bool = false
    ) throws(InterceptionError) {
        guard namespace.isPresent else { throw .namespaceVanished(namespace.name) }
        let elements = TableElements(
            frontends: frontends, servedPorts: servedPorts, publicPorts: publicPorts, deliversAsClient: deliversAsClient)
        let result = inForce.withLock { inForce in
            Result { () throws(InterceptionError) in
                try self.replace(&inForce.elements, with: elements)
                // What needs the route and has none fails: its answers go elsewhere. The table must be there first all the same.
                if inForce.hasReturnRoute != deliversAsClient {
                    try ReturnRoute(self.marks).set(deliversAsClient, in: self.namespace)
                    inForce.hasReturnRoute = deliversAsClient
                }
            }
        }
        try result.get()
    }

    /// Removes the table and the route. Whatever else is in the namespace stays, and so do the listeners.
    public func uninstall() throws(InterceptionError) {
        let result = inForce.withLock { inForce in
            inForce = InForce()
            return Result { () throws(InterceptionError) in
                try self.socket.commit(SallyportTable.removal)
                try ReturnRoute(self.marks).set(false, in: self.namespace)
            }
        }
        try result.get()
        logger.info("interception-removed", metadata: ["unit": "\(unit)"])
    }

    /// Removes what an enforcer left behind in a namespace; nothing happens where there is nothing.
    public static func uninstall(from namespace: NetworkNamespace, marks: ConnectionMarks = .standard) throws {
        try namespace.run { try NetfilterSocket(namespace: namespace.name).commit(SallyportTable.removal) }
        try ReturnRoute(marks).set(false, in: namespace)
    }

    private func replace(_ applied: inout TableElements?, with elements: TableElements) throws(InterceptionError) {
        if applied == elements { return }
        if let old = applied, old.deliversAsClient == elements.deliversAsClient {
            do throws(InterceptionError) {
                try socket.commit(SallyportTable.change(from: old, to: elements))
                applied = elements
                return
            } catch {
                guard case .refused = error else { throw error }
                logger.warning("interception-table-was-changed", metadata: ["unit": "\(unit)", "error": "\(error)"])
            }
        }
        applied = nil
        try socket.commit(table.replacement(elements))
        applied = elements
        logger.info("interception-installed", metadata: [
            "unit": "\(unit)", "namespace": "\(namespace.name)", "frontends": "\(elements.frontends.count)",
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
