// What the log's thread does with what it took: shows it, then writes it, and says so once when it cannot.

import FlowFormat
import Linux
import Logging
import SallyportProtocol

struct FlowLogWriter: ~Copyable {
    /// Lines are written when they are as many bytes: one call for some hundred records.
    private static let chunk = 256 << 10

    private let shared: FlowLogShared
    private let logger: Logger
    private let path: String
    private var file: FlowFile?
    private var lines = JSONText()
    /// What is being written.
    private var flow = Sallyport_Flow_V1_Flow()
    private var problem: FlowFileError?
    private var lostSinceProblem = 0
    private var isDropping = false

    init(configuration: FlowLogConfiguration, enforcer: String, shared: FlowLogShared, logger: Logger) {
        flow.enforcer = enforcer
        self.shared = shared
        self.logger = logger
        path = configuration.path ?? ""
        if let path = configuration.path {
            file = FlowFile(path: path, maximumBytes: configuration.maximumBytes, rotatedFiles: configuration.rotatedFiles)
        }
    }

    mutating func handle(_ work: FlowQueueWork) {
        if work.reopen { file?.close() }
        report(dropped: work.dropped)
        for batch in work.batches {
            let seen = shared.take(batch)
            guard file != nil else { continue }
            for record in seen {
                flow.show(record)
                lines.line(flow, FlowJSONParts(record))
                if lines.bytes.count >= FlowLogWriter.chunk { write() }
            }
        }
        if !lines.bytes.isEmpty { write() }
    }

    private mutating func write() {
        guard let (lost, problem) = file?.write(lines.bytes) else { return }
        lines.removeAll()
        if let problem {
            lostSinceProblem += lost
            shared.change {
                $0.lostByFile += UInt64(lost)
                $0.fileProblem = problem.description
            }
            // Once for each kind of trouble, not for every record of a busy hour.
            if self.problem == nil {
                logger.error("flow-log-not-written", metadata: ["path": "\(path)", "error": "\(problem)"])
            }
        } else if self.problem != nil {
            logger.notice("flow-log-written-again", metadata: ["path": "\(path)", "lost": "\(lostSinceProblem)"])
            lostSinceProblem = 0
            shared.change { $0.fileProblem = nil }
        }
        self.problem = problem
    }

    private mutating func report(dropped: UInt64) {
        if dropped > 0 {
            shared.change { $0.droppedByQueue += dropped }
            if !isDropping { logger.warning("flow-records-dropped", metadata: ["count": "\(dropped)", "cause": "queue full"]) }
        }
        isDropping = dropped > 0
    }
}
