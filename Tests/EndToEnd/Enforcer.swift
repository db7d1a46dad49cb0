// One sallyportd of a test, in its node's namespace.

import FlowFormat
import Foundation
import Linux
import Support

/// A running sallyportd. It ends with the test's network, at the latest.
public final class Enforcer {
    public let node: NetworkNode
    private let sallyport: Sallyport
    let directory: String
    private var socket: String { directory + "/sallyport.sock" }
    private var configuration: String { directory + "/sallyportd.yaml" }
    /// Has the flow log alone.
    var logDirectory: String { directory + "/log" }
    private var running: NetworkProgram?

    /// Its directory in the BPF file system. Names there are escaped as systemd does it, and so are dots.
    private var pins: String {
        let name = "\(directory.dropFirst())/state".replacing("-", with: "\\x2d").replacing(".", with: "\\x2e").replacing("/", with: "-")
        return "/sys/fs/bpf/sallyport/\(name)"
    }

    /// How many namespaces it steers in; nil where it has nothing pinned.
    var steeredNamespaces: Int? {
        get throws {
            let listed = try NetworkProgram.run("ls", [pins], in: nil)
            return listed.status == 0 ? listed.output.split(separator: "\n").count { UInt64($0) != nil } : nil
        }
    }

    /// What is pinned is at work for as long as the file system is there, and a cgroup has no more than 64 programs of a kind (E2BIG).
    deinit { _ = try? NetworkProgram.run("rm", ["-rf", pins], in: nil) }

    init(node: NetworkNode, of sallyport: Sallyport, settings: String) throws {
        self.node = node
        self.sallyport = sallyport
        directory = "\(sallyport.directory.path)/\(node.name)"
        for (name, text) in sallyport.dropIns(for: node) {
            try sallyport.directory.write("\(node.name)/plugins.d/\(name)", text)
        }
        mkdir(logDirectory, 0o755)
        try sallyport.directory.write("\(node.name)/sallyportd.yaml", """
            enforcer: \(node.name)
            stateDirectory: \(directory)/state
            socket: {path: \(socket)}
            plugins:
              dropIns: \(directory)/plugins.d
              directory: \(sallyport.pluginDirectory)
              runner: \(try absolute(Sallyport.built))/sallyport-plugin-runner
            flowLog: {path: \(logDirectory)/flows.jsonl}
            \(settings)

            """)
    }

    /// Starts the daemon and waits until it is ready, with every local unit intercepted and certified.
    public func start() throws {
        let daemon = try node.start("\(Sallyport.built)/sallyportd", "--config", configuration)
        running = daemon
        try daemon.wait("was ready") { [self] in try isReady }
    }

    /// Starts the daemon without a capability ("net_admin").
    public func startWithout(_ capability: String) throws {
        running = try node.start(
            "setpriv", "--bounding-set", "-\(capability)", "--inh-caps", "-\(capability)", "\(Sallyport.built)/sallyportd", "--config", configuration)
    }

    /// Runs `sallyportd` with this configuration to its end.
    public func daemon(_ arguments: String...) throws -> ProgramResult {
        try NetworkProgram.run("\(Sallyport.built)/sallyportd", ["--config", configuration] + arguments, in: node.namespace)
    }

    /// Ends the daemon with a signal and waits for its end.
    @discardableResult
    public func stop(_ signal: Int32 = SIGTERM) throws -> ProgramResult {
        guard let daemon = running else { throw NetworkError(what: "the enforcer of \(node.name) does not run") }
        running = nil
        return daemon.stop(signal)
    }

    /// What the daemon has logged.
    public var log: String { running?.errorsSoFar ?? "" }

    /// The running daemon.
    public var pid: pid_t {
        get throws {
            guard let running, running.isRunning else { throw NetworkError(what: "the enforcer of \(node.name) does not run; it logged: \(log)") }
            return running.pid
        }
    }

    /// Sends the running daemon a signal.
    public func signal(_ number: Int32) throws { kill(try pid, number) }

    /// Runs `sallyport` against this daemon.
    @discardableResult
    public func command(_ arguments: String...) throws -> ProgramResult {
        try NetworkProgram.run("\(Sallyport.built)/sallyport", [arguments[0], "--socket", socket] + arguments.dropFirst(), in: nil)
    }

    private var isReady: Bool {
        get throws {
            guard try command("status").status == 0 else { return false }
            return try units().allSatisfy { !($0.local ?? false) || ($0.intercepted ?? false) && ($0.problem ?? "").isEmpty }
        }
    }

    /// What `sallyport pus` lists.
    public func units() throws -> [UnitStatus] {
        try JSONDecoder().decode([UnitStatus].self, from: Data(command("pus", "-o", "json").output.utf8))
    }

    public struct UnitStatus: Decodable, Sendable {
        public let name: String
        public let local: Bool?
        public let intercepted: Bool?
        public let redirection: String?
        public let problem: String?
        public let certificateNotAfter: String?
        public let liveFlows: Int?
    }

    /// When the local units' certificates end, by name.
    public var certificateEnds: [String: String] {
        get throws {
            let local = try units().filter { $0.local ?? false }
            return Dictionary(local.map { ($0.name, $0.certificateNotAfter ?? "") }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// How many trust bundles have been put in force.
    public var trustGeneration: Int { get throws { try status.trustGeneration } }
    /// How often the policy has been compiled.
    public var policyGeneration: Int { get throws { try status.policyGeneration } }

    private struct Status: Decodable { let trustGeneration, policyGeneration: Int }
    private var status: Status {
        get throws { try JSONDecoder().decode(Status.self, from: Data(command("status", "-o", "json").output.utf8)) }
    }

    // MARK: - Drop-ins

    /// Puts a drop-in in place; the daemon looks at it when it is told to.
    public func dropIn(_ file: String, _ text: String) throws { try sallyport.directory.write("\(node.name)/plugins.d/\(file)", text) }

    public func removeDropIn(_ file: String) throws { try syscall("unlink", file) { unlink("\(directory)/plugins.d/\(file)") } }

    /// One of the daemon's plugins, as `sallyport plugins -o json` shows it; nil if there is none of that name.
    public func plugin(_ name: String) throws -> PluginStatus? {
        try JSONDecoder().decode([PluginStatus].self, from: Data(command("plugins", "-o", "json").output.utf8)).first { $0.name == name }
    }

    public struct PluginStatus: Decodable, Sendable {
        public let name: String
        public let state: String
        public let pid: Int32
        public let restarts: Int
        public let message: String
    }

    /// What `sallyport services` lists.
    public func services() throws -> [ServiceStatus] {
        try JSONDecoder().decode([ServiceStatus].self, from: Data(command("services", "-o", "json").output.utf8))
    }

    public struct ServiceStatus: Decodable, Sendable {
        public let name: String
        public let frontends: [String]
        public let adapter: String
        public let problem: String
        public let servers: [Server]

        /// One behind the load balancer.
        public struct Server: Decodable, Sendable {
            public let name: String
            public let address: String
            public let state: String
        }
    }

    /// What `sallyport doctor` says of a topic, whether the daemon runs or not.
    public func doctor(_ topic: String) throws -> [DoctorCheck] {
        let result = try command("doctor", "--config", configuration, "-o", "json")
        let checks = try JSONDecoder().decode([DoctorCheck].self, from: Data(result.output.utf8))
        let expected = checks.contains { $0.outcome == "failed" } ? Int32(1) : 0
        if result.status != expected { throw NetworkError(what: "sallyport doctor ended with \(result.status): \(result.output)") }
        return checks.filter { $0.topic == topic }
    }

    public struct DoctorCheck: Decodable, Sendable {
        public let topic: String
        public let outcome: String
        public let text: String
        public let mend: String
    }

    /// The value of a metric, with its labels as `sallyport metrics` prints them: `sallyport_problems`; nil if it is not there.
    public func metric(_ name: String) throws -> Double? {
        let line = try command("metrics").output.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    /// The daemon's resident set; proc(5).
    public var residentBytes: Int {
        get throws {
            let pages = try String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8).split(separator: " ").dropFirst().first.flatMap { Int($0) }
            guard let pages else { throw NetworkError(what: "no statm of \(node.name)'s daemon") }
            return pages * sysconf(Int32(_SC_PAGESIZE))
        }
    }

    // MARK: - Flows

    /// The flows that have ended, oldest first.
    public func flows() throws -> [RecordedFlow] {
        let result = try command("flows", "-o", "json")
        if result.status != 0 { throw NetworkError(what: "sallyport flows: \(result.errors)") }
        return try result.output.split(separator: "\n").map { try JSONDecoder().decode(RecordedFlow.self, from: Data($0.utf8)) }
            .filter { $0.phase == "end" }
    }

    /// Does `body`, and waits for the first `wanted` flow that ends from then on. Records come late: not all that are missing now are of later flows.
    public func flow(_ wanted: (RecordedFlow) -> Bool, after body: () throws -> Void) throws -> RecordedFlow {
        let before = Set(try flows().map(\.traceId))
        let begun = clinux_realtime()
        try body()
        return try flow { !before.contains($0.traceId) && $0.end >= begun && wanted($0) }
    }

    /// Waits for the first ended flow that is `wanted`: a flow ends a little after its client has its answer.
    public func flow(_ wanted: (RecordedFlow) -> Bool) throws -> RecordedFlow {
        var found: RecordedFlow?
        var seen: [RecordedFlow] = []
        do {
            try eventually("recorded") {
                seen = try flows()
                found = seen.first(where: wanted)
                return found != nil
            }
        } catch {
            throw NetworkError(what: "\(node.name) recorded no such flow, but \(seen); its log: \(log)")
        }
        return found!  // safe: the wait ended without an error
    }
}

/// A flow record as `sallyport flows -o json` prints it; what the tests look at.
public struct RecordedFlow: Decodable, Sendable {
    public struct End: Decodable, Sendable {
        public let type: String?
        public let namespace: String?
        public let name: String?
        public let tags: [String]?
    }
    public struct Rule: Decodable, Sendable {
        public let namespace: String?
        public let ruleset: String?
        public let rule: String?
    }
    let startTime: String
    let durationNanos: Int64
    /// Nanoseconds since 1970.
    var end: Int64 { (nanoseconds(rfc3339: startTime) ?? 0) + durationNanos }
    public let phase: String
    public let side: String
    public let enforcer: String
    public let traceId: String?
    public let source: End
    public let destination: End
    public let sourceAddress: String?
    public let tcpPeerAddress: String?
    public let dialledAddress: String?
    public let dialledPort: Int?
    public let targetPort: Int?
    public let service: String?
    public let verdict: String
    public let reason: String?
    public let detail: String?
    public let decidedBy: Rule?
    public let peerDecidedBy: Rule?
    public let encrypted: String
    public let tlsVersion: String?
    public let tlsResumed: Bool?
    public let peerSpiffeId: String?
    public let proxyProtocolVersion: Int?
    public let bytesSent: UInt64
    public let bytesReceived: UInt64
}

private func absolute(_ path: String) throws -> String {
    guard let real = realpath(path, nil) else { throw SystemCallError(call: "realpath", errno: errno, subject: path) }
    defer { free(real) }
    return String(cString: real)
}
