// The control API's calls, answered from the enforcer's state.

import ControlAPI
import DataPath
import FlowLog
import Linux
import Logging
import PluginHost
import Policy
import Prometheus
import SallyportProtocol
import Synchronization
import TTRPC

/// What `ControlServer` serves.
final class ControlEndpoint: ControlService {
    private let enforcer: Enforcer
    private let plugins: PluginHost
    private let flows: FlowLog
    private let dataPath: DataPath
    private let level: LogLevel
    private let examination: Doctor
    private let drainRequested: @Sendable () -> Void

    init(
        enforcer: Enforcer, plugins: PluginHost, flows: FlowLog, dataPath: DataPath, level: LogLevel,
        drainRequested: @escaping @Sendable () -> Void
    ) {
        self.enforcer = enforcer
        self.plugins = plugins
        self.flows = flows
        self.dataPath = dataPath
        self.level = level
        examination = Doctor(enforcer: enforcer, flows: flows)
        self.drainRequested = drainRequested
    }

    func status(_ request: Sallyport_Control_V1_StatusRequest) async throws -> Sallyport_Control_V1_StatusResponse {
        var response = await enforcer.status()
        let counters = dataPath.count()
        response.liveFlows = UInt64(clamping: counters.live)
        response.totalFlows = counters.accepted
        response.refusedFlows = counters.refused
        // Flows are protected all the same, so the node is no less ready.
        if let problem = flows.counters.fileProblem { response.conditions.append("flow records are not written: \(problem)") }
        return response
    }

    func listPlugins(_ request: Sallyport_Control_V1_ListPluginsRequest) async throws -> Sallyport_Control_V1_ListPluginsResponse {
        let plugins = await plugins.status()
        return .with { $0.plugins = plugins }
    }

    func listServices(_ request: Sallyport_Control_V1_ListServicesRequest) async throws -> Sallyport_Control_V1_ListServicesResponse {
        let services = await enforcer.services()
        return .with { $0.services = services }
    }

    func listProcessingUnits(
        _ request: Sallyport_Control_V1_ListProcessingUnitsRequest
    ) async throws -> Sallyport_Control_V1_ListProcessingUnitsResponse {
        let units = await enforcer.processingUnits()
        return .with { $0.processingUnits = units }
    }

    func explain(_ request: Sallyport_Control_V1_ExplainRequest) async throws -> Sallyport_Control_V1_ExplainResponse {
        await enforcer.snapshot.explain(from: request.from, to: request.to)
    }

    func watchFlows(
        _ request: Sallyport_Control_V1_WatchFlowsRequest, send: RPCMessageSender<Sallyport_Control_V1_WatchFlowsResponse>
    ) async throws {
        let watcher = flows.watch(since: request.sinceNanos, follow: !request.noFollow, limit: Int(request.limit))
        while let batch = await watcher.next() { try await send.send(batch) }
    }

    func metrics(_ request: Sallyport_Control_V1_MetricsRequest) async throws -> Sallyport_Control_V1_MetricsResponse {
        let text = await metricsSnapshot().text
        return .with { $0.text = text }
    }

    func doctor(_ request: Sallyport_Control_V1_DoctorRequest) async throws -> Sallyport_Control_V1_DoctorResponse {
        let checks = await examination.checks()
        return .with { $0.checks = checks }
    }

    /// All that Prometheus is told.
    func metricsSnapshot() async -> MetricsSnapshot {
        let counters = dataPath.count()
        let problems = await enforcer.problems().count
        return MetricsSnapshot(
            flows.metrics + [
                MetricFamily("sallyport_live_flows", .gauge, help: "Connections open now.", Double(counters.live)),
                MetricFamily("sallyport_connections_total", .counter, help: "Connections accepted by the listeners.", Double(counters.accepted)),
                MetricFamily("sallyport_refused_total", .counter, help: "Connections refused, for whatever reason.", Double(counters.refused)),
                MetricFamily("sallyport_handshakes_total", .counter, help: "TLS handshakes between enforcers.", Double(counters.handshakes)),
                MetricFamily("sallyport_handshakes_resumed_total", .counter, help: "Those that resumed a session.", Double(counters.resumed)),
                MetricFamily(
                    "sallyport_accept_failures_total", .counter, help: "accept(2) failed for want of descriptors or memory.",
                    Double(counters.acceptFailures)),
                MetricFamily(
                    "sallyport_health_checks_total", .counter, help: "Connections that ended before they said anything.",
                    Double(counters.healthChecks)),
                MetricFamily("sallyport_problems", .gauge, help: "Documents and settings that are wrong now.", Double(problems)),
            ])
    }

    // MARK: - Changes

    func protect(_ request: Sallyport_Control_V1_ProtectRequest) async throws -> Sallyport_Control_V1_ProtectResponse {
        let problems = await enforcer.protect(request.processingUnit)
        if let first = problems.first { throw RPCError(.invalidArgument, first.message) }
        return .init()
    }

    func release(_ request: Sallyport_Control_V1_ReleaseRequest) async throws -> Sallyport_Control_V1_ReleaseResponse {
        guard await enforcer.release(request.key) else {
            throw RPCError(.notFound, "\(request.key.namespace)/\(request.key.name) was not put under protection by this call")
        }
        return .init()
    }

    func reload(_ request: Sallyport_Control_V1_ReloadRequest) async throws -> Sallyport_Control_V1_ReloadResponse {
        flows.reopen()
        let problems = await plugins.reload()
        return .with { $0.problems = problems }
    }

    func drain(_ request: Sallyport_Control_V1_DrainRequest) async throws -> Sallyport_Control_V1_DrainResponse {
        let live = dataPath.count().live
        drainRequested()
        return .with { $0.liveFlows = UInt64(clamping: live) }
    }

    func setLogLevel(_ request: Sallyport_Control_V1_SetLogLevelRequest) async throws -> Sallyport_Control_V1_SetLogLevelResponse {
        guard let wanted = Logger.Level(rawValue: request.level) else {
            throw RPCError(.invalidArgument, "no log level \(request.level); trace, debug, info, notice, warning, error and critical are right")
        }
        level.set(wanted)
        return .init()
    }
}
