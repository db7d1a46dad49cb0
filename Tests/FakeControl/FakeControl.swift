// A daemon's answers without a daemon: what a test sets, and a note of what was asked.

import ControlAPI
import Logging
import SallyportProtocol
import Synchronization
import TTRPC

public final class FakeControl: ControlService {
    public struct Answers: Sendable {
        public var status = Sallyport_Control_V1_StatusResponse()
        public var plugins: [Sallyport_Control_V1_PluginStatus] = []
        public var services: [Sallyport_Control_V1_ServiceStatus] = []
        public var units: [Sallyport_Control_V1_ProcessingUnitStatus] = []
        public var explanation = Sallyport_Control_V1_ExplainResponse()
        /// Sent one message each; a watcher that follows then waits for ever.
        public var flows: [Sallyport_Control_V1_WatchFlowsResponse] = []
        public var metrics = ""
        public var checks: [Sallyport_Control_V1_DoctorResponse.Check] = []
        public var reloadProblems: [String] = []
        public var liveFlows: UInt64 = 0
        /// Thrown instead of any answer.
        public var failure: RPCError?
    }

    private struct State {
        var answers: Answers
        var calls: [String] = []
        var watch: Sallyport_Control_V1_WatchFlowsRequest?
        var drain: Sallyport_Control_V1_DrainRequest?
        var logLevel: String?
        var endedWatches = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    public init(_ change: (inout Answers) -> Void = { _ in }) {
        var answers = Answers()
        change(&answers)
        state = Mutex(State(answers: answers))
    }

    /// Names of the calls that reached a method.
    public var calls: [String] { state.withLock { $0.calls } }
    public var lastWatch: Sallyport_Control_V1_WatchFlowsRequest? { state.withLock { $0.watch } }
    public var lastDrain: Sallyport_Control_V1_DrainRequest? { state.withLock { $0.drain } }
    public var lastLogLevel: String? { state.withLock { $0.logLevel } }

    /// Returns once a watcher that followed has gone.
    public func watchEnded() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if state.endedWatches == 0 { state.waiters.append(continuation) }
                return state.endedWatches > 0
            }
            if hasEnded { continuation.resume() }
        }
    }

    private func answers(_ call: String) throws -> Answers {
        let answers = state.withLock { state in
            state.calls.append(call)
            return state.answers
        }
        if let failure = answers.failure { throw failure }
        return answers
    }

    public func status(_ request: Sallyport_Control_V1_StatusRequest) async throws -> Sallyport_Control_V1_StatusResponse {
        try answers("Status").status
    }

    public func listPlugins(_ request: Sallyport_Control_V1_ListPluginsRequest) async throws -> Sallyport_Control_V1_ListPluginsResponse {
        let plugins = try answers("ListPlugins").plugins
        return .with { $0.plugins = plugins }
    }

    public func listServices(_ request: Sallyport_Control_V1_ListServicesRequest) async throws -> Sallyport_Control_V1_ListServicesResponse {
        let services = try answers("ListServices").services
        return .with { $0.services = services }
    }

    public func listProcessingUnits(
        _ request: Sallyport_Control_V1_ListProcessingUnitsRequest
    ) async throws -> Sallyport_Control_V1_ListProcessingUnitsResponse {
        let units = try answers("ListProcessingUnits").units
        return .with { $0.processingUnits = units }
    }

    public func explain(_ request: Sallyport_Control_V1_ExplainRequest) async throws -> Sallyport_Control_V1_ExplainResponse {
        try answers("Explain").explanation
    }

    public func watchFlows(
        _ request: Sallyport_Control_V1_WatchFlowsRequest, send: RPCMessageSender<Sallyport_Control_V1_WatchFlowsResponse>
    ) async throws {
        state.withLock { $0.watch = request }
        for message in try answers("WatchFlows").flows { try await send.send(message) }
        if request.noFollow { return }
        let (forever, _) = AsyncStream<Never>.makeStream()
        for await _ in forever {}
        let waiters = state.withLock { state in
            state.endedWatches += 1
            defer { state.waiters = [] }
            return state.waiters
        }
        waiters.forEach { $0.resume() }
    }

    public func metrics(_ request: Sallyport_Control_V1_MetricsRequest) async throws -> Sallyport_Control_V1_MetricsResponse {
        let text = try answers("Metrics").metrics
        return .with { $0.text = text }
    }

    public func doctor(_ request: Sallyport_Control_V1_DoctorRequest) async throws -> Sallyport_Control_V1_DoctorResponse {
        let checks = try answers("Doctor").checks
        return .with { $0.checks = checks }
    }

    public func protect(_ request: Sallyport_Control_V1_ProtectRequest) async throws -> Sallyport_Control_V1_ProtectResponse {
        _ = try answers("Protect")
        return .init()
    }

    public func release(_ request: Sallyport_Control_V1_ReleaseRequest) async throws -> Sallyport_Control_V1_ReleaseResponse {
        _ = try answers("Release")
        return .init()
    }

    public func reload(_ request: Sallyport_Control_V1_ReloadRequest) async throws -> Sallyport_Control_V1_ReloadResponse {
        let problems = try answers("Reload").reloadProblems
        return .with { $0.problems = problems }
    }

    public func drain(_ request: Sallyport_Control_V1_DrainRequest) async throws -> Sallyport_Control_V1_DrainResponse {
        state.withLock { $0.drain = request }
        let flows = try answers("Drain").liveFlows
        return .with { $0.liveFlows = flows }
    }

    public func setLogLevel(_ request: Sallyport_Control_V1_SetLogLevelRequest) async throws -> Sallyport_Control_V1_SetLogLevelResponse {
        state.withLock { $0.logLevel = request.level }
        _ = try answers("SetLogLevel")
        return .init()
    }
}

/// Serves `service` at `path` while `body` runs.
public func withControlServer<Result>(
    at path: String, group: String? = nil, _ service: any ControlService, _ body: (ControlServer) async throws -> Result
) async throws -> Result {
    let server = try ControlServer(path: path, group: group, service: service, logger: .init(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let serving = Task { try await server.run() }
    do {
        let result = try await body(server)
        await server.stop()
        try await serving.value
        return result
    } catch {
        await server.stop()
        throw error
    }
}
