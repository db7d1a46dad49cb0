// Which flows an operator asked for.

import ArgumentParser
import FlowFormat
import SallyportProtocol

struct FlowFilter: ParsableArguments {
    enum Verdict: String, ExpressibleByArgument, CaseIterable {
        case accepted, refused
    }

    @Option(help: ArgumentHelp("Only from this end: NAMESPACE/NAME, a name, an address, or a tag key=value.", valueName: "end"))
    var from: String?
    @Option(help: ArgumentHelp("Only to this end, given like --from.", valueName: "end"))
    var to: String?
    @Option(help: ArgumentHelp("Only of this service: NAMESPACE/NAME or a name.", valueName: "service"))
    var service: String?
    @Option(help: "Only accepted or only refused flows.")
    var verdict: Verdict?
    @Option(help: ArgumentHelp("Only with this reason, like rejected-by-rule.", valueName: "reason"))
    var reason: FlowReason?

    var isEmpty: Bool { from == nil && to == nil && service == nil && verdict == nil && reason == nil }

    func matches(_ flow: Sallyport_Flow_V1_Flow) -> Bool {
        if let from, !isEnd(from, flow.source, addresses: [flow.sourceAddress, flow.tcpPeerAddress]) { return false }
        if let to, !isEnd(to, flow.destination, addresses: [flow.dialledAddress]) { return false }
        if let service, flow.service != service, flow.service.split(separator: "/").last.map({ $0 == service }) != true { return false }
        if let verdict, flow.verdict.word != verdict.rawValue { return false }
        if let reason, flow.reason != reason.value { return false }
        return true
    }

    private func isEnd(_ wanted: String, _ end: Sallyport_Flow_V1_Endpoint, addresses: [String]) -> Bool {
        guard !wanted.isEmpty else { return false }
        return wanted == end.name || wanted == path(end.namespace, end.name) || addresses.contains(wanted) || end.tags.contains(wanted)
    }
}

/// A reason by its word.
struct FlowReason: ExpressibleByArgument {
    let value: Sallyport_Flow_V1_Reason

    init?(argument: String) {
        guard let value = Sallyport_Flow_V1_Reason(word: argument) else { return nil }
        self.value = value
    }

    static var allValueStrings: [String] { Sallyport_Flow_V1_Reason.allCases.map(\.word) }
}
