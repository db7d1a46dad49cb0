import FakeControl
import Foundation
import Linux
import SallyportProtocol
import Support
import TTRPC
import Testing

struct DoctorCommandTests {
    private struct Check: Decodable {
        let topic, outcome, text, mend: String
    }

    private func checks(_ outcome: Outcome) throws -> [Check] { try JSONDecoder().decode([Check].self, from: Data(outcome.output.utf8)) }

    @Test("only a failure changes the exit status", arguments: [(0, Int32(0)), (1, 0), (2, 1), (7, 1)])
    func status(outcome: Int, status: Int32) async throws {
        let fake = FakeControl {
            $0.checks = [
                .with {
                    $0.topic = "kernel"
                    $0.outcome = .init(rawValue: outcome) ?? .passed
                }
            ]
        }
        #expect(try await sallyport(["doctor"], asking: fake).status == status)
        #expect(try await sallyport(["doctor", "-o", "json"], asking: fake).status == status)
    }

    @Test("without a daemon that is a failure, and what can be seen of the node is told all the same")
    func noDaemon() async throws {
        let folder = try TemporaryFolder()
        try "stateDirectory: \(folder.path)\n".write(toFile: "\(folder.path)/right.yaml", atomically: false, encoding: .utf8)
        let command = ["doctor", "--socket", "\(folder.path)/s", "--config", "\(folder.path)/right.yaml"]
        let text = try await sallyport(command)
        #expect(text.status == 1 && text.errors == "")
        #expect(text.output.hasPrefix("✗ daemon: there is no socket \(folder.path)/s; is sallyportd running?"), "\(text.output)")
        #expect(text.output.contains("✓ settings: \(folder.path)/right.yaml is right\n"))
        let found = try checks(await sallyport(command + ["-o", "json"]))
        #expect(Set(found.map(\.topic)) == ["daemon", "settings", "interception", "kernel", "clock"])
        #expect(found.allSatisfy { $0.mend.isEmpty == ($0.outcome == "passed") })
        #expect(found.first { $0.topic == "interception" }?.outcome == "passed")

        // One that ended and left its socket, and rules in two namespaces.
        do { _ = try Descriptor(listeningAt: "\(folder.path)/s") }
        try "/run/netns/a\n/run/netns/b\n".write(toFile: "\(folder.path)/intercepted", atomically: false, encoding: .utf8)
        let left = try checks(await sallyport(command + ["-o", "json"]))
        #expect(left.first?.text.hasPrefix("nobody answers on \(folder.path)/s") == true)
        let interception = try #require(left.first { $0.topic == "interception" })
        #expect(interception.outcome == "warning" && interception.text.contains("2 network namespaces") && interception.mend.contains("--uninstall"))
    }

    @Test("what may not be looked at is not told as well", .enabled(if: getuid() == 0, "needs root to run as another user"))
    func unprivileged() async throws {
        let folder = try TemporaryFolder()
        try syscall("chmod") { chmod(folder.path, 0o755) }
        try syscall("mkdir") { mkdir("\(folder.path)/state", 0o700) }
        try "/run/netns/a\n".write(toFile: "\(folder.path)/state/intercepted", atomically: false, encoding: .utf8)
        try "stateDirectory: \(folder.path)/state\n".write(toFile: "\(folder.path)/right.yaml", atomically: false, encoding: .utf8)
        // The products may lie where others cannot go.
        for program in ["sallyport", "sallyportd"] {
            try copyProgram(at: sallyportPath.dropLast("sallyport".count) + program, to: "\(folder.path)/\(program)")
        }
        let command = ["doctor", "--socket", "\(folder.path)/s", "--config", "\(folder.path)/right.yaml", "-o", "json"]
        let outcome = try await sallyport(
            command, through: ["/usr/bin/setpriv", "--reuid", "64000", "--regid", "64000", "--clear-groups"], program: "\(folder.path)/sallyport")
        let found = try checks(outcome)
        #expect(found.first { $0.topic == "interception" }?.outcome == "warning", "\(outcome)")
        #expect(found.filter { $0.topic == "kernel" }.map(\.text) == ["was not tried: only root may"])
    }

    @Test("settings with which no daemon starts are a failure, with their line")
    func wrongSettings() async throws {
        let folder = try TemporaryFolder()
        try "workers: 1\nnonsense: 2\n".write(toFile: "\(folder.path)/wrong.yaml", atomically: false, encoding: .utf8)
        let outcome = try await sallyport(["doctor", "--socket", "\(folder.path)/s", "--config", "\(folder.path)/wrong.yaml", "-o", "json"])
        let settings = try #require(checks(outcome).first { $0.topic == "settings" })
        #expect(settings.outcome == "failed" && settings.text.contains("wrong.yaml:2"))
        #expect(outcome.status == 1)
    }

    @Test("a daemon that refuses is no daemon that is absent", arguments: [RPCError(.permissionDenied, "not you"), RPCError(.unimplemented, "no method Doctor")])
    func refused(error: RPCError) async throws {
        let outcome = try await sallyport(["doctor"], asking: FakeControl { $0.failure = error })
        #expect(outcome.status == 2 && outcome.output == "")
    }
}
