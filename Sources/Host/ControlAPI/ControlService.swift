// What the daemon answers on its control socket: one method for each call of control.proto.

import SallyportProtocol
import TTRPC

/// The calls of `sallyport.control.v1.Control`. Who may make them has been checked before.
///
/// Throw `RPCError` to tell the caller what is wrong and what to do; anything else reaches them as `.unknown`.
public protocol ControlService: Sendable {
    // Read-only.
    func status(_ request: Sallyport_Control_V1_StatusRequest) async throws -> Sallyport_Control_V1_StatusResponse
    func listPlugins(_ request: Sallyport_Control_V1_ListPluginsRequest) async throws -> Sallyport_Control_V1_ListPluginsResponse
    /// All services; the server sends them in pieces.
    func listServices(_ request: Sallyport_Control_V1_ListServicesRequest) async throws -> Sallyport_Control_V1_ListServicesResponse
    /// All processing units; the server sends them in pieces.
    func listProcessingUnits(
        _ request: Sallyport_Control_V1_ListProcessingUnitsRequest
    ) async throws -> Sallyport_Control_V1_ListProcessingUnitsResponse
    func explain(_ request: Sallyport_Control_V1_ExplainRequest) async throws -> Sallyport_Control_V1_ExplainResponse
    /// Sends records until there are no more or the task is cancelled. `send` waits while the caller does not read.
    func watchFlows(
        _ request: Sallyport_Control_V1_WatchFlowsRequest, send: RPCMessageSender<Sallyport_Control_V1_WatchFlowsResponse>
    ) async throws
    func metrics(_ request: Sallyport_Control_V1_MetricsRequest) async throws -> Sallyport_Control_V1_MetricsResponse
    /// May take some seconds.
    func doctor(_ request: Sallyport_Control_V1_DoctorRequest) async throws -> Sallyport_Control_V1_DoctorResponse

    // Changes.
    func protect(_ request: Sallyport_Control_V1_ProtectRequest) async throws -> Sallyport_Control_V1_ProtectResponse
    func release(_ request: Sallyport_Control_V1_ReleaseRequest) async throws -> Sallyport_Control_V1_ReleaseResponse
    func reload(_ request: Sallyport_Control_V1_ReloadRequest) async throws -> Sallyport_Control_V1_ReloadResponse
    func drain(_ request: Sallyport_Control_V1_DrainRequest) async throws -> Sallyport_Control_V1_DrainResponse
    func setLogLevel(_ request: Sallyport_Control_V1_SetLogLevelRequest) async throws -> Sallyport_Control_V1_SetLogLevelResponse
}
