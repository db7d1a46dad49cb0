// One sallyportd of a test, in its node's namespace.

import Foundation
import Linux
import Support

/// A running sallyportd. It ends with the test's network, at the latest.
public final class Enforcer {
    public let node: NetworkNode
    private let sallyport: Sallyport
    private let directory: String
    private var socket: String { directory + "/sallyport.sock" }
    private var configuration: String { directory + "/sallyportd.yaml" }
    private var running: NetworkProgram?

    init(node: NetworkNode, of sallyport: Sallyport, settings: String) throws {
        self.node = node
        self.sallyport = sallyport
        directory = "\(sallyport.directory.path)/\(node.name)"
        for (name, text) in sallyport.dropIns(for: node) {
            try sallyport.directory.write("\(node.name)/plugins.d/\(name)", text)
        }
        try sallyport.directory.write("\(node.name)/sallyportd.yaml", """
            enforcer: \(node.name)
            stateDirectory: \(directory)/state
            socket: {path: \(socket)}
            plugins:
              dropIns: \(directory)/plugins.d
              directory: \(sallyport.pluginDirectory)
              runner: \(try absolute(Sallyport.built))/sallyport-plugin-runner
            flowLog: {path: \(directory)/flows.jsonl}
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

    /// Runs `sallyport` against this daemon.
    public func command(_ arguments: String...) throws -> ProgramResult {
        try NetworkProgram.run("\(Sallyport.built)/sallyport", [arguments[0], "--socket", socket] + arguments.dropFirst(), in: nil)
    }

    private var isReady: Bool {
        get throws {
            guard try command("status").status == 0 else { return false }
            let units = try JSONDecoder().decode([UnitStatus].self, from: Data(command("pus", "-o", "json").output.utf8))
            return units.allSatisfy { !($0.local ?? false) || ($0.intercepted ?? false) && ($0.problem ?? "").isEmpty }
        }
    }

    private struct UnitStatus: Decodable {
        let local: Bool?
        let intercepted: Bool?
        let problem: String?
    }

    // MARK: - Flows

    /// The flows that have ended, oldest first.
    public func flows() throws -> [RecordedFlow] {
        let result = try command("flows", "-o", "json")
        if result.status != 0 { throw NetworkError(what: "sallyport flows: \(result.errors)") }
        return try result.output.split(separator: "\n").map { try JSONDecoder().decode(RecordedFlow.self, from: Data($0.utf8)) }
            .filter { $0.phase == "end" }
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
    public let phase: String
    public let side: String
    public let enforcer: String
    public let traceId: String?
    public let source: End
    public let destination: End
    public let sourceAddress: String?
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
    public let bytesSent: UInt64
    public let bytesReceived: UInt64
}

private func absolute(_ path: String) throws -> String {
    guard let real = realpath(path, nil) else { throw SystemCallError(call: "realpath", errno: errno, subject: path) }
    defer { free(real) }
    return String(cString: real)
}
