// From the names of calls to the service's methods, each behind its check.

import SallyportProtocol
import SwiftProtobuf
import TTRPC

/// Answers that grow with the policy are sent in pieces of about as many bytes, far below ttrpc's 4 MiB.
private let pieceBytes = 256 << 10

extension RPCRouter {
    init(_ service: any ControlService, access: ControlAccess) {
        self.init()
        answer(access, .readOnly, "Status", service.status)
        answer(access, .readOnly, "ListPlugins", service.listPlugins)
        answer(access, .readOnly, "Explain", service.explain)
        answer(access, .readOnly, "Metrics", service.metrics)
        answer(access, .readOnly, "Doctor", service.doctor)
        answer(access, .change, "Protect", service.protect)
        answer(access, .change, "Release", service.release)
        answer(access, .change, "Reload", service.reload)
        answer(access, .change, "Drain", service.drain)
        answer(access, .change, "SetLogLevel", service.setLogLevel)

        stream(access, "ListServices") { request, send in
            for rows in pieces(try await service.listServices(request).services) {
                try await send.send(Sallyport_Control_V1_ListServicesResponse.with { $0.services = Array(rows) })
            }
        }
        stream(access, "ListProcessingUnits") { request, send in
            for rows in pieces(try await service.listProcessingUnits(request).processingUnits) {
                try await send.send(Sallyport_Control_V1_ListProcessingUnitsResponse.with { $0.processingUnits = Array(rows) })
            }
        }
        stream(access, "WatchFlows") { request, send in try await service.watchFlows(request, send: send) }
    }

    private mutating func answer<Request: Message, Answer: Message>(
        _ access: ControlAccess, _ call: ControlAccess.Call, _ method: String,
        _ body: @escaping @Sendable (Request) async throws -> Answer
    ) {
        addUnary(service: controlServiceName, method: method) { (request: Request, context) -> Answer in
            try access.check(call, method, context.peer)
            return try await body(request)
        }
    }

    private mutating func stream<Request: Message, Answer: Message>(
        _ access: ControlAccess, _ method: String,
        _ body: @escaping @Sendable (Request, RPCMessageSender<Answer>) async throws -> Void
    ) {
        addServerStream(service: controlServiceName, method: method) { (request: Request, context, send: RPCMessageSender<Answer>) in
            try access.check(.readOnly, method, context.peer)
            try await body(request, send)
        }
    }
}

private let controlServiceName = "sallyport.control.v1.Control"

private func pieces<Row: Message>(_ rows: [Row]) -> [ArraySlice<Row>] {
    var pieces: [ArraySlice<Row>] = []
    var start = 0
    var bytes = 0
    for (index, row) in rows.enumerated() {
        // A row of which the size cannot be told cannot be sent either; `send` says so.
        let size = (try? row.serializedBytes() as [UInt8])?.count ?? 0
        if index > start && bytes + size > pieceBytes {
            pieces.append(rows[start..<index])
            (start, bytes) = (index, 0)
        }
        bytes += size
    }
    if start < rows.count { pieces.append(rows[start...]) }
    return pieces
}
