// `sallyport doctor`: gathers the facts, within limits of time and number.

import DataPath
import FlowLog
import Interception
import Linux
import PluginHost
import Policy
import SallyportProtocol

extension Enforcer {
    /// Looks for what is wrong. Takes at most some seconds, and changes nothing.
    func examine(flows: FlowLog) async -> [DoctorCheck] {
        var facts = DoctorFacts()
        facts.now = clinux_realtime() / 1_000_000_000
        facts.capabilities = DoctorFacts.ownCapabilities() ?? 0
        facts.clockIsSynchronised = DoctorFacts.clockIsSynchronised()
        facts.plugins = await plugins?.status() ?? []
        facts.problems = await problems()
        facts.units = processingUnits()
        facts.services = await services()
        facts.unreachable = unreachableServices(facts)
        let frontends = frontendsToDial(facts.services)
        let mark = ConnectionMarks.standard.outgoing
        // Both block, and the threads of Swift concurrency are few.
        (facts.kernel, facts.dialled) = await withCheckedContinuation { continuation in
            let thread = try? RunningThread(name: "doctor") { continuation.resume(returning: (probeKernel(), dialAll(frontends, mark: mark))) }
            if thread == nil { continuation.resume(returning: ([], [])) }
        }
        let watcher = flows.watch(since: clinux_realtime() - 3_600_000_000_000, follow: false)
        while let batch = await watcher.next() { facts.flows += batch.flows }
        return facts.checks
    }

    /// Frontends of services that a unit of this node sees, single addresses only.
    private func frontendsToDial(_ services: [DoctorFacts.Service]) -> [DoctorFacts.DialledFrontend] {
        let seen = Set(snapshot.units.flatMap { $0.plan.frontends.map(\.description) })
        let frontends = services.flatMap { service in
            service.frontends.filter(seen.contains).map {
                DoctorFacts.DialledFrontend(frontend: $0, service: "\(service.namespace)/\(service.name)", problem: nil)
            }
        }
        return Array(frontends.prefix(50))
    }

    /// Of the first services, those that none of the first units may call: each pair is asked for, so that the number is bounded.
    private func unreachableServices(_ facts: DoctorFacts) -> [String] {
        let callers = facts.units.prefix(50).map { "\($0.namespace)/\($0.name)" }
        guard callers.count == facts.units.count else { return [] }
        // A public port is for clients that are no units.
        return facts.services.prefix(50).filter { !$0.targets.isEmpty && $0.publicPort == 0 }.map { "\($0.namespace)/\($0.name)" }.filter { service in
            !callers.contains { snapshot.explain(from: $0, to: service).verdict == .accepted }
        }
    }
}

/// Connects to all at once, for a second at most, past interception, and closes again without a word.
/// - Returns: Those to which there is a way.
private func dialAll(_ frontends: [DoctorFacts.DialledFrontend], mark: UInt32) -> [DoctorFacts.DialledFrontend] {
    var open: [(index: Int, fd: Int32)] = []
    var results = frontends
    /// From the node's own namespace there is no way to them; from the units' there may be.
    var unrouted: Set<Int> = []
    defer { for (_, fd) in open { close(fd) } }
    for (index, frontend) in frontends.enumerated() {
        guard let address = SocketAddress(frontend.frontend) else { continue }
        let fd = socket(address.address.isV4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { continue }
        open.append((index, fd))
        var mark = mark
        _ = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, socklen_t(MemoryLayout<UInt32>.size))
        var (raw, length) = address.raw
        let result = withUnsafePointer(to: &raw) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, length) } }
        let code = result == 0 ? 0 : clinux_errno()
        results[index].problem = code == 0 ? nil : code == EINPROGRESS ? "no answer within a second" : words(code)
        if code == ENETUNREACH { unrouted.insert(index) }
    }
    let end = clinux_monotonic() + 1_000_000_000
    var waiting = open.filter { results[$0.index].problem == "no answer within a second" }
    while !waiting.isEmpty {
        let now = clinux_monotonic()
        if now >= end { break }
        var polled = waiting.map { pollfd(fd: $0.fd, events: Int16(POLLOUT), revents: 0) }
        if poll(&polled, nfds_t(polled.count), Int32((end - now) / 1_000_000) + 1) <= 0 { break }
        for (entry, state) in zip(waiting, polled) where state.revents != 0 {
            var code: Int32 = 0
            var length = socklen_t(4)
            getsockopt(entry.fd, SOL_SOCKET, SO_ERROR, &code, &length)
            results[entry.index].problem = code == 0 ? nil : words(code)
        }
        waiting = zip(waiting, polled).filter { $1.revents == 0 }.map(\.0)
    }
    return results.indices.filter { !unrouted.contains($0) }.map { results[$0] }
}

private func words(_ code: Int32) -> String { String(cString: strerror(code)) }
