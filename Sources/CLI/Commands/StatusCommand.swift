// sallyport status: is this node protected, and what is wrong.

import ArgumentParser
import FlowFormat
import Linux
import SallyportProtocol

struct StatusCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show whether this node is protected, and what is wrong.",
        discussion: "Exit status 1 if the enforcer is not ready.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    func run(_ daemon: ControlClient) async throws {
        let status: Sallyport_Control_V1_StatusResponse = try await daemon.call("Status", Sallyport_Control_V1_StatusRequest())
        switch format.output {
        case .json: try write(json(status))
        case .text: try write(text(status, .standardOutput))
        }
        if !status.ready { throw ExitStatus.no }
    }

    private func text(_ status: Sallyport_Control_V1_StatusResponse, _ terminal: Terminal) -> String {
        let age = Int64(time(nil)).subtractingReportingOverflow(status.started).partialValue
        var lines = [
            [
                terminal.styled(printable(status.enforcer), .bold),
                status.ready ? terminal.styled("ready", .good) : terminal.styled("not ready", .bad),
                "sallyportd \(printable(status.version))", "up \(duration(seconds: age))",
            ].joined(separator: "  "),
            "trust domain  \(printable(status.trustDomain)), generation \(status.trustGeneration)",
            "policy        generation \(status.policyGeneration): \(count(status.services, "service")), "
                + "\(count(status.rulesets, "ruleset")), \(count(status.processingUnits, "processing unit")) "
                + "(\(status.localProcessingUnits) here)",
            "flows         \(status.liveFlows) live, \(status.totalFlows) in all, \(status.refusedFlows) refused",
        ]
        for condition in status.conditions { lines.append("\(terminal.styled("!", .warning)) \(printable(condition))") }
        for problem in status.problems {
            let mark = problem.severity == .warning ? terminal.styled("!", .warning) : terminal.styled("✗", .bad)
            lines.append("\(mark) \(printable(problem.line))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func count(_ number: UInt32, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private func json(_ status: Sallyport_Control_V1_StatusResponse) -> String {
        JSONText.document { json in
            json.object {
                $0.field("enforcer", status.enforcer)
                $0.field("version", status.version)
                $0.field("trustDomain", status.trustDomain)
                $0.field("started", rfc3339(seconds: status.started))
                $0.field("ready", status.ready)
                $0.field("conditions", status.conditions)
                $0.field("policyGeneration", status.policyGeneration)
                $0.field("trustGeneration", status.trustGeneration)
                $0.field("workers", UInt64(status.workers))
                $0.field("liveFlows", status.liveFlows)
                $0.field("totalFlows", status.totalFlows)
                $0.field("refusedFlows", status.refusedFlows)
                $0.field("services", UInt64(status.services))
                $0.field("rulesets", UInt64(status.rulesets))
                $0.field("processingUnits", UInt64(status.processingUnits))
                $0.field("localProcessingUnits", UInt64(status.localProcessingUnits))
                $0.key("problems")
                $0.array(status.problems) { json, problem in json.problem(problem) }
            }
        }
    }
}
