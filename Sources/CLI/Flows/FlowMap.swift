// Who talks to whom: flows gathered into edges, both ends' records of one flow counted once.

import FlowFormat
import SallyportProtocol

struct FlowMap {
    struct Edge: Equatable {
        var source: String
        var destination: String
        var service: String
        var isEncrypted: Bool
        /// nil if the flows were accepted.
        var reason: Sallyport_Flow_V1_Reason?
        var flows = 0
        var live = 0
        var bytes: UInt64 = 0
    }

    /// A flow as both ends know it together.
    private var flows: [String: Sallyport_Flow_V1_Flow] = [:]

    mutating func add(_ flow: Sallyport_Flow_V1_Flow) {
        guard var known = flows[flow.traceID] else {
            flows[flow.traceID] = flow
            return
        }
        if flow.phase == .end { known.phase = .end }
        if known.source.name.isEmpty { known.source = flow.source }
        if known.destination.name.isEmpty { known.destination = flow.destination }
        if known.service.isEmpty { known.service = flow.service }
        if known.targetPort == 0 { known.targetPort = flow.targetPort }
        if !known.isEncrypted { known.encrypted = flow.encrypted }
        if flow.verdict == .refused {
            // Where the refusal was made it has its own name; the other end says "refused-by-peer".
            if known.verdict != .refused || known.reason == .refusedByPeer { known.reason = flow.reason }
            known.verdict = .refused
        }
        known.bytesSent = max(known.bytesSent, flow.bytesSent)
        known.bytesReceived = max(known.bytesReceived, flow.bytesReceived)
        flows[flow.traceID] = known
    }

    /// Sorted by source, then accepted before refused, then destination.
    var edges: [Edge] {
        var edges: [String: Edge] = [:]
        for flow in flows.values {
            let reason = flow.verdict == .refused ? flow.reason : nil
            let isEncrypted = flow.isEncrypted && reason == nil
            // What tells edges apart, in the order of the drawing.
            let key = [
                flow.sourceName, reason == nil ? "0" : "1", flow.destinationName, flow.serviceName, isEncrypted ? "0" : "1",
                reason?.word ?? "",
            ].joined(separator: "\u{0}")
            var edge = edges[key] ?? Edge(
                source: flow.sourceName, destination: flow.destinationName, service: flow.serviceName, isEncrypted: isEncrypted,
                reason: reason)
            edge.flows += 1
            edge.live += flow.phase == .start ? 1 : 0
            edge.bytes &+= flow.bytesSent &+ flow.bytesReceived
            edges[key] = edge
        }
        return edges.sorted { $0.key < $1.key }.map(\.value)
    }
}
