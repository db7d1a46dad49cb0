// sallyport pus: the processing units, and which are protected here.

import ArgumentParser
import FlowFormat
import Linux
import SallyportProtocol

struct UnitsCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "pus", abstract: "List processing units, and which are protected on this node.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    @Flag(help: "Only those of this node.")
    var local = false

    func run(_ daemon: ControlClient) async throws {
        var units: [Sallyport_Control_V1_ProcessingUnitStatus] = []
        try await daemon.stream(
            "ListProcessingUnits", Sallyport_Control_V1_ListProcessingUnitsRequest(),
            of: Sallyport_Control_V1_ListProcessingUnitsResponse.self
        ) { piece in
            units += piece.processingUnits.filter { $0.local || !local }
            return true
        }
        switch format.output {
        case .json: try write(JSONText.document { $0.array(units, json) })
        case .text: try write(table(units).text(.standardOutput))
        }
    }

    private func table(_ units: [Sallyport_Control_V1_ProcessingUnitStatus]) -> Table {
        let now = Int64(time(nil))
        var table = Table(
            ("PROCESSING UNIT", .left), ("TYPE", .left), ("STATE", .left), ("REDIRECTION", .left), ("CERTIFICATE", .left), ("FLOWS", .right),
            ("ADDRESSES", .flexible), ("TAGS", .flexible), ("PROBLEM", .flexible))
        for unit in units {
            table.add(
                .init(path(unit.namespace, unit.name)), .init(unit.type.word), unit.state, .init(unit.redirection.word),
                certificate(unit, now),
                .init(unit.local ? "\(unit.liveFlows)" : ""), .init(unit.addresses.joined(separator: " ")),
                // Derived and inherited tags are in -o json.
                .init(unit.tags.filter { $0.first != "$" && $0.first != "@" }.joined(separator: " ")), .init(unit.problem, .bad))
        }
        return table
    }

    private func certificate(_ unit: Sallyport_Control_V1_ProcessingUnitStatus, _ now: Int64) -> Table.Cell {
        guard unit.local else { return "" }
        if unit.certificateNotAfter == 0 { return .init("none", .bad) }
        let left = unit.certificateNotAfter.subtractingReportingOverflow(now).partialValue
        return left > 0 ? .init(duration(seconds: left)) : .init("expired", .bad)
    }

    private func json(_ json: inout JSONText, _ unit: Sallyport_Control_V1_ProcessingUnitStatus) {
        json.object {
            $0.field("namespace", unit.namespace)
            $0.field("name", unit.name)
            $0.field("type", unit.type.word)
            $0.field("tags", unit.tags)
            $0.field("addresses", unit.addresses)
            $0.field("local", unit.local)
            $0.field("intercepted", unit.intercepted)
            $0.field("redirection", unit.redirection.word)
            $0.field("problem", unit.problem)
            $0.field("spiffeId", unit.spiffeID)
            $0.field("certificateNotAfter", rfc3339(seconds: unit.certificateNotAfter))
            $0.field("liveFlows", unit.liveFlows)
        }
    }
}

extension Sallyport_Policy_V1_ProcessingUnit.TypeEnum {
    /// As documents write it.
    fileprivate var word: String {
        switch self {
        case .host: "Host"
        case .hostService: "HostService"
        case .container: "Container"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Control_V1_ProcessingUnitStatus.Redirection {
    /// As sallyportd.yaml writes it.
    fileprivate var word: String {
        switch self {
        case .steering: "steering"
        case .nat: "nat"
        case .unspecified: ""
        case .UNRECOGNIZED: "unknown"
        }
    }
}

extension Sallyport_Control_V1_ProcessingUnitStatus {
    fileprivate var state: Table.Cell {
        if !local { return .init("elsewhere", .dim) }
        return intercepted ? .init("protected", .good) : .init("unprotected", .bad)
    }
}
