// A folder, a recorded log and records for the flow log's tests.

import FlowLog
import Foundation
import Linux
import Logging
import Synchronization

/// A folder of its own, removed with everything in it at the end.
final class Folder: Sendable {
    let path: String

    init() throws {
        var template = Array("\(NSTemporaryDirectory())/sallyport-flow-log-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemCallError(call: "mkdtemp", errno: clinux_errno()) }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }  // mkdtemp left it terminated
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { "\(path)/\(name)" }

    func read(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    func size(_ name: String) throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path(name))).count }

    var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

/// A logger that keeps its messages.
final class RecordedLog: Sendable {
    private let lines = Mutex<[String]>([])

    var messages: [String] { lines.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }
}

let client = FlowParty(kind: .processingUnit, namespace: "/demo", name: "client", tags: ["app=client"])
let web = FlowParty(kind: .processingUnit, namespace: "/demo", name: "web", tags: ["app=web"])

/// The record of an accepted flow whose number is its trace id and its end in nanoseconds.
func flow(_ number: Int, service: String = "/demo/web") -> FlowRecord {
    var record = FlowRecord(side: .client, traceHigh: 0, traceLow: UInt64(number), start: Int64(number), verdict: .accepted)
    record.source = client
    record.destination = web
    record.service = service
    return record
}

func flows(_ numbers: some Sequence<Int>) -> [FlowRecord] { numbers.map { flow($0) } }

/// The numbers of the records in JSON lines; fails on a line that is not whole.
func numbers(inLines text: String) throws -> [Int] {
    try text.split(separator: "\n").map { line in
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        guard let id = object?["traceId"] as? String, let number = Int(id, radix: 16) else {
            throw CocoaError(.coderInvalidValue)
        }
        return number
    }
}

extension FlowWatcher {
    /// Everything until the watcher ends.
    func all() async -> (numbers: [Int], missed: UInt64) {
        var numbers: [Int] = []
        var missed: UInt64 = 0
        while let message = await next() {
            numbers += message.flows.map { Int($0.startTimeNanos) }
            missed += message.missed
        }
        return (numbers, missed)
    }
}
