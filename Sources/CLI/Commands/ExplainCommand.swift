// sallyport explain: what the policy says about a flow, step by step.

import ArgumentParser
import FlowFormat
import SallyportProtocol

struct ExplainCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Explain, step by step, whether a flow is allowed and encrypted.",
        discussion: "Exit status 1 if the flow would be refused.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    @Option(help: ArgumentHelp("The client: a processing unit, as NAMESPACE/NAME or a name that is unique.", valueName: "pu"))
    var from: String
    @Option(help: ArgumentHelp("What it dials: a processing unit, a service, or ADDRESS:PORT.", valueName: "target"))
    var to: String

    func run(_ daemon: ControlClient) async throws {
        let request = Sallyport_Control_V1_ExplainRequest.with {
            $0.from = from
            $0.to = to
        }
        let answer: Sallyport_Control_V1_ExplainResponse = try await daemon.call("Explain", request)
        switch format.output {
        case .json: try write(json(answer))
        case .text: try write(text(answer, .standardOutput))
        }
        if answer.verdict != .accepted { throw ExitStatus.no }
    }

    private func text(_ answer: Sallyport_Control_V1_ExplainResponse, _ terminal: Terminal) -> String {
        let width = answer.steps.map { displayWidth(printable($0.stage)) }.max() ?? 0
        var text = ""
        for step in answer.steps {
            let stage = printable(step.stage)
            text += stage + String(repeating: " ", count: width - displayWidth(stage))
            text += "  \(step.ok ? terminal.styled("✓", .good) : terminal.styled("✗", .bad))  \(printable(step.text))\n"
        }
        let isAccepted = answer.verdict == .accepted
        let lock = isAccepted && answer.encrypted != .no ? " 🔒" : ""
        let verdict = terminal.styled(isAccepted ? "✓ \(answer.verdict.word)" : "✗ \(answer.verdict.word)", isAccepted ? .good : .bad)
        return text + "\(verdict)\(lock)\(answer.summary.isEmpty ? "" : "  \(printable(answer.summary))")\n"
    }

    private func json(_ answer: Sallyport_Control_V1_ExplainResponse) -> String {
        JSONText.document { json in
            json.object {
                $0.field("verdict", answer.verdict.word)
                $0.field("encrypted", answer.encrypted.word)
                $0.field("summary", answer.summary)
                $0.key("steps")
                $0.array(answer.steps) { json, step in
                    json.object {
                        $0.field("stage", step.stage)
                        $0.field("ok", step.ok)
                        $0.field("text", step.text)
                    }
                }
            }
        }
    }
}
