// `sallyport doctor`: gathers the facts, within limits of time and number.

import FlowLog
import Interception
import Linux
import PluginHost
import Policy
import SallyportProtocol

/// Looks for what is wrong. A look ends within some seconds, and changes nothing.
actor Doctor {
    private let enforcer: Enforcer
    private let flows: FlowLog
    /// Whoever asks meanwhile is given the same answer: looking makes connections and a network namespace.
    private var running: Task<[DoctorCheck], Never>?

    /// How long to look for services that nobody may reach.
    private static let reachPatience = Duration.seconds(3)

    init(enforcer: Enforcer, flows: FlowLog) {
        self.enforcer = enforcer
        self.flows = flows
    }

    /// All topics, each at least one check.
    func checks() async -> [DoctorCheck] {
        if let running { return await running.value }
        let task = Task { await look() }
        running = task
        defer { running = nil }
        return await task.value
    }

    private func look() async -> [DoctorCheck] {
        let (known, snapshot) = await enforcer.facts()
        var facts = known
        facts.now = clinux_realtime() / 1_000_000_000
        facts.capabilities = DoctorFacts.ownCapabilities()
        facts.clockIsSynchronised = DoctorFacts.clockIsSynchronised()
        facts.refusals = flows.proxyRefusals
        let targets = facts.frontendsToDial(snapshot.servicesSeenHere())
        async let kernel = onOwnThread("doctor-kernel") { probeKernel() }
        async let reach = onOwnThread("doctor-reach") { snapshot.reach(within: Doctor.reachPatience) }
        let answers = await onOwnThread("doctor-dial") { dial(targets.map(\.address), mark: ConnectionMarks.standard.outgoing) }
        facts.dialled = targets.enumerated().map { index, target in
            DialledFrontend(
                frontend: "\(target.address)", service: target.service, answer: answers?[index] ?? .untried("no thread could be started"))
        }
        facts.kernel = await kernel
        facts.reach = await reach?.map { FoundReach(service: $0.service.path, outcome: $0.outcome, isPublic: $0.service.publicPort != 0) }
        return facts.checks
    }
}

/// Runs what blocks outside of Swift concurrency's threads, of which there are only as many as processors.
/// - Returns: nil if no thread could be started.
private func onOwnThread<Value: Sendable>(_ name: String, _ body: @escaping @Sendable () -> Value) async -> Value? {
    await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
        do throws(SystemCallError) {
            try RunningThread(name: name) { continuation.resume(returning: body()) }.detach()
        } catch {
            continuation.resume(returning: nil)
        }
    }
}

extension DoctorFacts {
    /// The single addresses to dial, each once, of services that a unit of this node sees; the others are counted.
    package mutating func frontendsToDial(
        _ seen: [(service: Service, frontends: [Frontend])]
    ) -> [(service: String, address: SocketAddress)] {
        var targets: [(service: String, address: SocketAddress)] = []
        var known: Set<SocketAddress> = []
        for (service, frontends) in seen {
            seenHere.insert(service.path)
            for frontend in frontends {
                let address = SocketAddress(frontend.cidr.base, frontend.port)
                if frontend.cidr.prefix < 128 || targets.count >= DialBounds.frontends && !known.contains(address) {
                    undialled += 1
                } else if known.insert(address).inserted {
                    targets.append((service.path, address))
                }
            }
        }
        return targets
    }
}
