// sallyport map: who talks to whom, drawn.

import ArgumentParser
import FlowFormat
import SallyportProtocol

struct MapCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Draw who talks to whom, with a lock where it is encrypted and a cross where it is refused.",
        discussion: "Drawn from the flows that the daemon holds in memory.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions
    @OptionGroup var filter: FlowFilter

    @Option(help: ArgumentHelp("Only since then: 10m, 2h, 1d, or a time like 2026-03-01T09:05:00Z.", valueName: "time"))
    var since: Since?

    func run(_ daemon: ControlClient) async throws {
        let request = Sallyport_Control_V1_WatchFlowsRequest.with {
            $0.sinceNanos = since?.nanoseconds ?? 0
            $0.noFollow = true
        }
        var map = FlowMap()
        try await daemon.stream("WatchFlows", request, of: Sallyport_Control_V1_WatchFlowsResponse.self) { message in
            for flow in message.flows where filter.matches(flow) { map.add(flow) }
            return true
        }
        switch format.output {
        case .json: try write(JSONText.document { $0.array(map.edges, json) })
        case .text: try write(drawing(of: map.edges, .standardOutput))
        }
    }

    private func json(_ json: inout JSONText, _ edge: FlowMap.Edge) {
        json.object {
            $0.field("source", edge.source)
            $0.field("destination", edge.destination)
            $0.field("service", edge.service)
            $0.field("verdict", edge.reason == nil ? "accepted" : "refused")
            $0.field("reason", (edge.reason ?? .none).word)
            $0.field("encrypted", edge.isEncrypted)
            $0.field("flows", UInt64(edge.flows))
            $0.field("live", UInt64(edge.live))
            $0.field("bytes", edge.bytes)
        }
    }
}

/// A tree: each source, and below it an arrow to each destination.
func drawing(of edges: [FlowMap.Edge], _ terminal: Terminal) -> String {
    let destinations = edges.map { displayWidth($0.destination) }.max() ?? 0
    let services = edges.map { displayWidth($0.service) }.max() ?? 0
    func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: width - displayWidth(text)) }
    var text = ""
    for (index, edge) in edges.enumerated() {
        if index == 0 || edges[index - 1].source != edge.source { text += terminal.styled(edge.source, .bold) + "\n" }
        let isLast = index + 1 == edges.count || edges[index + 1].source != edge.source
        let columns = [
            "  \(isLast ? "└" : "├")\(arrow(edge, terminal)) \(padded(edge.destination, destinations))",
            padded(edge.service, services), tally(edge, terminal),
        ]
        text += columns.joined(separator: "  ") + "\n"
    }
    return text
}

private func arrow(_ edge: FlowMap.Edge, _ terminal: Terminal) -> String {
    if edge.reason != nil { return "─\(terminal.styled("✗", .bad))──▶" }
    return edge.isEncrypted ? "─🔒─▶" : "────▶"
}

private func tally(_ edge: FlowMap.Edge, _ terminal: Terminal) -> String {
    if let reason = edge.reason { return terminal.styled("\(edge.flows) refused: \(reason.word)", .bad) }
    let live = edge.live > 0 ? " (\(edge.live) live)" : ""
    return "\(edge.flows) flow\(edge.flows == 1 ? "" : "s")\(live), \(bytes(edge.bytes))"
}
