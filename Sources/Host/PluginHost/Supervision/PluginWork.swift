// What the host does with a plugin that runs: describe, configure, then watch it and look at its health.

import CSallyportPlugin
import Linux
import PluginCarriers
import SallyportProtocol
import SwiftProtobuf
import TTRPC

extension SupervisedPlugin {
    /// Overdue looks at the health of a process in a row after which it is started again: it would hang for ever.
    private static let mostOverdue = 3

    /// Works with the plugin until it fails or the task is cancelled.
    func work(_ running: RunningPlugin) async -> Ending {
        do {
            let description: Sallyport_Plugin_V1_DescribeResponse = try await call(
                running, SALLYPORT_SERVICE_PLUGIN, "Describe", Sallyport_Plugin_V1_DescribeRequest())
            if let reason = unfit(description) { return .refused(reason) }
            described(description)
            if let owner = await claim(self, description.publicTlsModes) { return .refused(owner) }
            let problems = try await configure(dropIn, running)
            guard problems.isEmpty else { return .refused("its configuration was refused: \(problems.joined(separator: "; "))") }
        } catch {
            if Task.isCancelled { return .wanted }
            // Another instance would meet the same thread that does not come back.
            if running.process == nil && isOverdue(error) { return .refused("\(reason(error)); start the daemon again, or use isolation: process") }
            return .failed(reason(error))
        }
        change { $0.serves(watches) }
        return await serve(running)
    }

    private func unfit(_ description: Sallyport_Plugin_V1_DescribeResponse) -> String? {
        let kinds = description.kinds.filter { $0 != .unspecified }
        if kinds.isEmpty { return "it describes itself as a plugin of no kind: Describe must answer at least one" }
        if let kind = dropIn.kind, !kinds.contains(kind) {
            return "\(dropIn.file): kind: it is no \(kind.shown), but \(kinds.map(\.shown).joined(separator: ", ")); mend or leave out `kind`"
        }
        if kinds.contains(.publicTls) && description.publicTlsModes.isEmpty {
            return "it is of the kind public-tls for no mode: Describe must answer at least one in public_tls_modes"
        }
        return nil
    }

    private var watches: Set<Standing.Watch> {
        Set(description.kinds.compactMap { kind in
            switch kind {
            case .policySource: .policy
            case .tlsProvider: .trust
            case .loadBalancerAdapter: .frontends
            case .publicTls: .certificates
            case .unspecified, .UNRECOGNIZED: nil
            }
        })
    }

    private func serve(_ running: RunningPlugin) async -> Ending {
        let watches = watches
        return await withTaskGroup(of: Ending.self) { group in
            if watches.contains(.policy) { group.addTask { await self.watchPolicy(running) } }
            if watches.contains(.trust) { group.addTask { await self.watchTrust(running) } }
            if watches.contains(.frontends) { group.addTask { await self.watchFrontends(running) } }
            if watches.contains(.certificates) { group.addTask { await self.watchCertificates(running) } }
            group.addTask { await self.lookAfter(running) }
            defer { group.cancelAll() }
            return await group.next() ?? .wanted
        }
    }

    // MARK: Configuration

    /// Validates and applies a drop-in's configuration in the plugin that runs.
    /// - Returns: Why it was refused.
    func configure(_ dropIn: DropIn) async -> [String] {
        guard let running else { return ["\(dropIn.file): the plugin does not run"] }
        do {
            return try await configure(dropIn, running)
        } catch {
            return ["\(dropIn.file): \(reason(error))"]
        }
    }

    private func configure(_ dropIn: DropIn, _ running: RunningPlugin) async throws -> [String] {
        let validated: Sallyport_Plugin_V1_ValidateResponse = try await call(
            running, SALLYPORT_SERVICE_PLUGIN, "Validate", Sallyport_Plugin_V1_ValidateRequest.with { $0.configJson = dropIn.configJSON })
        guard validated.problems.isEmpty else { return dropIn.problems(validated.problems) }
        let configured: Sallyport_Plugin_V1_ConfigureResponse = try await call(
            running, SALLYPORT_SERVICE_PLUGIN, "Configure",
            Sallyport_Plugin_V1_ConfigureRequest.with {
                $0.configJson = dropIn.configJSON
                $0.host = facts
            })
        return dropIn.problems(configured.problems)
    }

    // MARK: Health

    private func lookAfter(_ running: RunningPlugin) async -> Ending {
        var overdue = 0
        while !Task.isCancelled {
            do {
                let health: Sallyport_Plugin_V1_HealthResponse = try await call(
                    running, SALLYPORT_SERVICE_PLUGIN, "Health", Sallyport_Plugin_V1_HealthRequest())
                overdue = 0
                if health.ready && health.message.isEmpty {
                    change { $0.clear(.health) }
                } else {
                    change { $0.note(.health, health.message.isEmpty ? "it says that it is not ready" : health.message) }
                }
            } catch {
                if Task.isCancelled { return .wanted }
                // Health itself has no reason to be unavailable: the other end is gone.
                if (error as? RPCError)?.code == .unavailable { return .failed(reason(error)) }
                if running.process != nil && isOverdue(error) {
                    overdue += 1
                    if overdue == SupervisedPlugin.mostOverdue { return .failed("\(reason(error)), \(overdue) times in a row") }
                }
            }
            let times = configuration.times
            try? await Task.sleep(for: standing.state == .ready ? times.health : min(times.health, times.healthWhileStarting))
        }
        return .wanted
    }

    // MARK: Calls

    /// A call with the host's deadline. What is wrong with the plugin, not with the request, degrades it.
    func call<Request: Message, Answer: Message>(
        _ running: RunningPlugin, _ service: String, _ method: String, _ request: Request
    ) async throws -> Answer {
        do {
            let answer: Answer = try await running.channel.call(
                service: service, method: method, request, timeout: configuration.times.call)
            change { $0.clear(.call(method)) }
            return answer
        } catch let error as RPCError {
            switch error.code {
            case .deadlineExceeded:
                let overdue = RPCError(.deadlineExceeded, "\(method) was not answered within \(configuration.times.call.shown)")
                change { $0.note(.call(method), overdue.message) }
                throw overdue
            case .internal, .resourceExhausted, .unimplemented, .dataLoss:
                let failed = RPCError(error.code, "\(method): \(error.message)")
                change { $0.note(.call(method), failed.message) }
                throw failed
            default: throw error
            }
        }
    }

    func reason(_ error: any Error) -> String { (error as? RPCError)?.message ?? "\(error)" }

    private func isOverdue(_ error: any Error) -> Bool { (error as? RPCError)?.code == .deadlineExceeded }
}

extension Sallyport_Plugin_V1_PluginKind {
    /// As drop-ins have it: "policy-source".
    var shown: String {
        switch self {
        case .policySource: "policy-source"
        case .tlsProvider: "tls-provider"
        case .loadBalancerAdapter: "load-balancer-adapter"
        case .publicTls: "public-tls"
        case .unspecified: "unspecified"
        case .UNRECOGNIZED(let number): "kind \(number)"
        }
    }
}
