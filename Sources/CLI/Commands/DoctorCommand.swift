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
            PROXY protocol mismatches of the last hour, and load balancers' servers. Where the daemon does not run: its settings, kernel, \
            clock, and what rules of an earlier run hold. Exit status 1 if something failed; warnings alone are 0.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: OutputOptions

    @Option(
        help: ArgumentHelp("The daemon's settings, looked at where it does not run. Default: \(defaultConfig)", valueName: "file"), completion: .file())
    var config: String?

    private static let defaultConfig = "/etc/sallyport/sallyportd.yaml"

    mutating func run() async throws {
        let command = self
        try await reportingFailures {
            do {
                try await command.run(ControlClient(path: command.connection.path))
            } catch let failure as Failure where failure.isDaemonAbsent {
                try command.show(checksWithoutDaemon(failure.message, config: command.config ?? DoctorCommand.defaultConfig))
            }
        }
    }

    func run(_ daemon: ControlClient) async throws {
        let answer: Sallyport_Control_V1_DoctorResponse = try await daemon.call("Doctor", Sallyport_Control_V1_DoctorRequest())
        try show(answer.checks)
    }

    private func show(_ checks: [Sallyport_Control_V1_DoctorResponse.Check]) throws {
        switch format.output {
        case .json: try write(json(checks))
        case .text: try write(text(checks, .standardOutput))
        }
        if checks.contains(where: { $0.outcome != .passed && $0.outcome != .warning }) { throw ExitStatus.no }
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
