import Linux
import PKI
import PluginCarriers
import Support
import Synchronization
import Testing

@Suite("The check of plugins", .timeLimit(.minutes(3)))
struct CheckTests {
    let workshop: PluginWorkshop
    init() throws { workshop = try PluginWorkshop() }

    private static let settings = #"{"name": "office", "entries": ["192.0.2.0/24"]}"#

    private func check(_ path: String, configuration: String = "{}") async -> (passed: Bool, lines: [String]) {
        var lines: [String] = []
        let passed = await PluginCheck(path: path, runnerPath: PluginWorkshop.runnerPath, configuration: configuration).run { lines.append("\($0)") }
        return (passed, lines)
    }

    /// The examples as an author builds them.
    private func example(_ language: String) async throws -> String {
        switch language {
        case "C":
            let directory = "\(PluginWorkshop.repository)/Examples/plugin-c"
            try await runProgram(["make", "-s", "-C", directory, "OUT=\(workshop.directory)"])
            return "\(workshop.directory)/networks-c.so"
        default: return "\(PluginWorkshop.products)/libnetworks-swift.so"
        }
    }

    @Test("the examples keep every promise through both carriers", arguments: ["C", "Swift"])
    func examples(_ language: String) async throws {
        let (passed, lines) = await check(try await example(language), configuration: CheckTests.settings)
        #expect(passed, "\(lines)")
        #expect(lines.allSatisfy { $0.hasPrefix("✓") }, "\(lines)")
        for carrier in ["in process", "out of process"] {
            #expect(lines.contains("✓ \(carrier): Watch sends everything there is, and then its mark"))
        }
    }

    @Test("the plugins for public ports keep every promise through both carriers", arguments: ["tls-custom-certificate", "tls-none", "tls-internal-ca"])
    func publicPorts(_ plugin: String) async throws {
        let folder = try TemporaryFolder()
        var configuration = "{}"
        if plugin == "tls-internal-ca" {
            let ca = try CertificateAuthority.create(at: folder.path + "/ca", trustDomain: "check.invalid", now: clinux_realtime() / 1_000_000_000)
            let node = try ca.issueEnforcer("sallyport-check", now: clinux_realtime() / 1_000_000_000)
            configuration = #"{"directory": "\#(node)"}"#
        }
        let (passed, lines) = await check("\(PluginWorkshop.products)/lib\(plugin).so", configuration: configuration)
        #expect(passed, "\(lines)")
        for carrier in ["in process", "out of process"] {
            #expect(lines.contains("✓ \(carrier): WatchCertificates sends everything there is, and then its mark"))
            #expect(lines.contains("✓ \(carrier): UpdateServices takes an empty list, and the same public service twice"))
        }
    }

    @Test("the load-balancer adapters keep every promise through both carriers", arguments: ["load-balancer-static", "load-balancer-haproxy"])
    func loadBalancers(_ plugin: String) async throws {
        let (passed, lines) = await check("\(PluginWorkshop.products)/lib\(plugin).so", configuration: "{}")
        #expect(passed, "\(lines)")
        for carrier in ["in process", "out of process"] {
            #expect(lines.contains("✓ \(carrier): WatchFrontends sends everything there is, and then its mark"))
        }
    }

    @Test("the examples export their entry and nothing else", arguments: ["C", "Swift"])
    func symbols(_ language: String) async throws {
        let symbols = try await runProgram(["nm", "-D", "--defined-only", try await example(language)])
        // nm(1): a lower-case type is local, which nothing else is bound to; u is unique in the process, and is.
        let lines = symbols.split(separator: "\n").map { line in line.split(separator: " ").map { String($0) } }
        let exported = lines.filter { $0.count == 3 && ($0[1] == "u" || $0[1] == $0[1].uppercased()) }.map { $0[2] }
        #expect(exported == ["sallyport_plugin_entry"])
    }

    @Test("a plugin that needs settings and gets none is told so, and not failed")
    func needsSettings() async throws {
        let (passed, lines) = await check(try await example("C"))
        #expect(passed, "\(lines)")
        #expect(lines.contains("– out of process: Validate and Configure accept the configuration: it needs settings (name: is required; entries: is required): --config '{…}'"))
    }

    @Test("each broken promise is one line that says what was found", arguments: [
        ("garbage", "Health answers before Configure: "), ("hangs-at-entry", "is loaded: hangs-at-entry did not return"),
        ("wrong-major", "is loaded: wrong-major has plugin ABI 2"), ("answers-twice", "Watch sends everything there is"),
        ("well", "a setting that it does not know is a problem: no problem has the field"), ("exits", "Configure accept the configuration: "),
    ])
    func broken(_ source: String, _ line: String) async throws {
        let (passed, lines) = await check(try await workshop.build(source))
        #expect(!passed)
        #expect(lines.contains { $0.hasPrefix("✗") && $0.contains(line) }, "\(lines)")
    }

    @Test("a plugin that ends its process is not loaded into this one")
    func exits() async throws {
        let (_, lines) = await check(try await workshop.build("exits"))
        #expect(lines.contains("✗ out of process: lives until its connection is closed: its process exited with status 3"))
        #expect(lines.last == "– in process: is loaded: it ended its process in the checks before")
    }

    @Test("a file that no daemon would trust is checked all the same, and that is said")
    func untrusted() async throws {
        let path = try await example("C")
        chmod(path, 0o777)
        let (passed, lines) = await check(path, configuration: CheckTests.settings)
        #expect(!passed)
        #expect(lines.filter { $0.hasPrefix("✗") }.count == 1)
        #expect(lines.first?.hasPrefix("✗ file: would be trusted by a daemon of this user: ") == true)
    }

    @Test("the runner's --check prints lines or JSON, and its status says whether all is well")
    func program() async throws {
        let runner = PluginWorkshop.runnerPath
        let good = try await example("C")
        let text = try await runProgram([runner, "--check", "--config", CheckTests.settings, good])
        #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix("✓ ") })
        let json = try await runProgram([runner, "--check", "-o", "json", "--config", CheckTests.settings, good])
        #expect(json.contains("\"outcome\" : \"passed\"") && !json.contains("failed"))
        let bad = try await workshop.build("wrong-major")
        #expect(try await runProgram([runner, "--check", bad], expecting: 1).contains("✗"))
        try await runProgram([runner, "--check"], expecting: 64)
    }
}
