// The PUs of this node: each has an interceptor in its namespace for as long as policy names it.

import DataPath
import Interception
import Linux
import Logging
import Policy

/// The interceptors, and what went wrong with those that should be there.
struct LocalUnits {
    private let workers: Int
    /// nil where the kernel cannot, or is not to: then nat leads the units' connections.
    private let steering: SocketSteering?
    private let pins: SteeringPins
    /// Of units that are open without an enforcer: made with the first of them.
    private var passingSteering: SocketSteering?
    private let logger: Logger
    private var intercepted: [UnitKey: Intercepted] = [:]
    private var problems: [UnitKey: String] = [:]
    /// Those that have been taken out of force for good.
    private var uninstalled: [UnitKey: Interceptor] = [:]

    private struct Intercepted {
        let interceptor: Interceptor
        let namespace: NetworkNamespace
        let place: UnitNetworkNamespace
        var plan: UnitPlan?
    }

    struct Change {
        var removed: [UnitKey] = []
        /// With descriptors for each worker, which then owns them.
        var added: [(UnitKey, [UnitSockets], [Int32])] = []
    }

    init(workers: Int, redirection: Redirection, pins: SteeringPins, logger: Logger) {
        self.workers = workers
        self.pins = pins
        self.logger = logger
        do {
            steering = redirection == .steering ? try SocketSteering.ifPossible(pins: pins) : nil
        } catch {
            logger.notice("interception-by-nat", metadata: ["reason": "\(error)"])
            steering = nil
        }
    }

    /// Paths of the namespaces that hold rules.
    var namespaces: [String] { intercepted.values.map(\.namespace.name) }
    /// Whether a namespace has vanished or changed, or a unit is not intercepted that may be by now.
    var needAnotherLook: Bool { !problems.isEmpty || intercepted.values.contains { !$0.namespace.isPresent || $0.interceptor.isOutdated } }
    func problem(of unit: UnitKey) -> String? { problems[unit] }
    func isIntercepted(_ unit: UnitKey) -> Bool { intercepted[unit] != nil && problems[unit] == nil }
    func redirection(of unit: UnitKey) -> Redirection? { intercepted[unit]?.interceptor.redirection }

    /// Makes and ends interceptors so that they are those of `units`. One that cannot be made is tried again the next time.
    mutating func reconcile(with units: [UnitPolicy]) -> Change {
        var change = Change()
        let wanted = Dictionary(units.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        for (key, existing) in intercepted where wanted[key].map({ $0.networkNamespace != existing.place }) ?? true || !existing.namespace.isPresent {
            end(key, existing)
            intercepted[key] = nil
            change.removed.append(key)
        }
        problems = problems.filter { wanted[$0.key] != nil }
        for unit in units where intercepted[unit.key] == nil {
            do {
                let made = try begin(unit)
                change.added.append((unit.key, try sockets(of: made.interceptor), try namespaces(of: made.namespace)))
                intercepted[unit.key] = made
                problems[unit.key] = nil
                logger.info("unit-added", metadata: ["unit": "\(unit.key)", "namespace": "\(made.namespace.name)"])
            } catch {
                note(unit.key, "\(error)")
            }
        }
        return change
    }

    /// Redirects what the plans say, where they changed.
    mutating func applyPlans(_ units: [UnitPolicy]) {
        for unit in units {
            guard let existing = intercepted[unit.key], existing.plan != unit.plan || existing.interceptor.isOutdated else { continue }
            do {
                try existing.interceptor.apply(
                    frontends: Set(unit.plan.frontends.map { InterceptedFrontend(cidr: $0.cidr, port: $0.port) }),
                    servedPorts: unit.plan.servedPorts, publicPorts: unit.plan.publicPorts, deliversAsClient: unit.plan.deliversAsClient)
                intercepted[unit.key]?.plan = unit.plan
                problems[unit.key] = nil
            } catch {
                note(unit.key, "\(error)")
            }
        }
    }

    /// Removes every rule this enforcer made, and nothing else, but for the routes by which open connections end.
    mutating func uninstall() {
        for (key, existing) in intercepted { end(key, existing, keepingRoutes: true) }
        uninstalled = intercepted.mapValues(\.interceptor)
        intercepted = [:]
    }

    /// The rest of `uninstall`, once connections have ended.
    func removeRoutes() {
        for (key, interceptor) in uninstalled {
            do throws(InterceptionError) { try interceptor.removeRoutes() } catch {
                logger.error("unit-not-removed", metadata: ["unit": "\(key)", "error": "\(error)"])
            }
        }
        do throws(SystemCallError) { try pins.removeAll() } catch {
            logger.error("steering-not-removed", metadata: ["error": "\(error)"])
        }
    }

    private mutating func note(_ unit: UnitKey, _ problem: String) {
        if problems[unit] != problem { logger.error("unit-not-intercepted", metadata: ["unit": "\(unit)", "error": "\(problem)"]) }
        problems[unit] = problem
    }

    private func end(_ key: UnitKey, _ existing: Intercepted, keepingRoutes: Bool = false) {
        do {
            // Also where the namespace has vanished: it took its rules with it, but not what is pinned.
            try existing.interceptor.uninstall(keepingRoutes: keepingRoutes)
            logger.info("unit-removed", metadata: ["unit": "\(key)"])
        } catch {
            logger.error("unit-not-removed", metadata: ["unit": "\(key)", "error": "\(error)"])
        }
    }

    private mutating func begin(_ unit: UnitPolicy) throws -> Intercepted {
        let namespace: NetworkNamespace
        switch unit.networkNamespace {
        case .path(let path): namespace = try NetworkNamespace(path: path)
        case .pid(let pid): namespace = try NetworkNamespace(pid: pid)
        case .host: namespace = try NetworkNamespace.own()
        }
        if let other = intercepted.first(where: { $0.value.namespace.inode == namespace.inode }) {
            throw SharedNamespace(namespace: namespace.name, holder: other.key)
        }
        let interceptor = try Interceptor(
            unit: "\(unit.key)", namespace: namespace, kind: unit.networkNamespace == .host ? .host : .container, workers: workers,
            failureMode: unit.failureMode == .open ? .open : .closed, steering: try steering(unit.failureMode), pins: pins, logger: logger)
        return Intercepted(interceptor: interceptor, namespace: namespace, place: unit.networkNamespace, plan: nil)
    }

    private mutating func steering(_ mode: FailureMode) throws -> SocketSteering? {
        if steering == nil || mode == .closed { return steering }
        if passingSteering == nil { passingSteering = try SocketSteering.ifPossible(pins: nil) }
        return passingSteering
    }

    /// Copies of the listeners' descriptors, for the workers to own.
    private func sockets(of interceptor: Interceptor) throws(SystemCallError) -> [UnitSockets] {
        try interceptor.listeners.map { (pair) throws(SystemCallError) in
            UnitSockets(
                outgoing: try duplicate(pair.outgoing), outgoingPort: pair.outgoingPort,
                incoming: try duplicate(pair.incoming), incomingPort: pair.incomingPort)
        }
    }

    private func namespaces(of namespace: NetworkNamespace) throws(SystemCallError) -> [Int32] {
        try (0..<workers).map { _ throws(SystemCallError) in try namespace.duplicate() }
    }

    private func duplicate(_ descriptor: Int32) throws(SystemCallError) -> Int32 {
        try syscall("fcntl") { clinux_fcntl(descriptor, Int32(F_DUPFD_CLOEXEC), 0) }
    }
}

/// Two units cannot share a namespace: whose a connection is could not be told.
private struct SharedNamespace: Error, CustomStringConvertible {
    let namespace: String
    let holder: UnitKey

    var description: String { "\(namespace) is the namespace of \(holder) already; two processing units cannot share one" }
}
