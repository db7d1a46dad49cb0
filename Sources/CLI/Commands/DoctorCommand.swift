// sallyport doctor: looks for what is wrong, and says what to do.

import ArgumentParser
import FlowFormat
import Linux
import SallyportProtocol

struct DoctorCommand: DaemonCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look for what is wrong, and say what to do.",
        discussion: """
            Kernel, privileges, clock, plugins, policy, certificates, frontends (those that units of this node see are dialled), services, \
            and PROXY protocol mismatches of the last hour. Exit status 1 if something failed; warnings alone are 0.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    func run(_ daemon: ControlClient) async throws {
        let answer: Sallyport_Control_V1_DoctorResponse = try await daemon.call("Doctor", Sallyport_Control_V1_DoctorRequest())
        switch format.output {
        case .json: try write(json(answer.checks))
        case .text: try write(text(answer.checks, .standardOutput))
        }
        if answer.checks.contains(where: { $0.outcome == .failed }) { throw ExitStatus.no }
    }

    private func text(_ checks: [Sallyport_Control_V1_DoctorResponse.Check], _ terminal: Terminal) -> String {
        checks.map { check in
            let line = "\(mark(check.outcome, terminal)) \(terminal.styled(printable(check.topic), .bold)): \(printable(check.text))\n"
            return check.mend.isEmpty ? line : line + "    \(printable(check.mend))\n"
        }.joined()
    }

    private func mark(_ outcome: Sallyport_Control_V1_DoctorResponse.Outcome, _ terminal: Terminal) -> String {
        switch outcome {
        case .passed: terminal.styled("✓", .good)
        case .warning: terminal.styled("⚠", .warning)
        case .failed, .UNRECOGNIZED: terminal.styled("✗", .bad)
        }
    }

    private func json(_ checks: [Sallyport_Control_V1_DoctorResponse.Check]) -> String {
        JSONText.document { json in
            json.array(checks) { json, check in
                json.object {
                    $0.field("topic", check.topic)
                    $0.field("outcome", check.outcome == .passed ? "passed" : check.outcome == .warning ? "warning" : "failed")
                    $0.field("text", check.text)
                    $0.field("mend", check.mend)
                }
            }
        }
    }
}
