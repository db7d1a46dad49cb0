// What the flow log counts, for metrics and `sallyport status`.

import FlowFormat
import Prometheus
import SallyportProtocol

/// Counts since the daemon started.
public struct FlowCounters: Sendable {
    /// Flows that ended, by verdict, reason and encryption.
    private var flows = [UInt64](repeating: 0, count: FlowVerdict.allCases.count * reasons * encryptions)
    public private(set) var bytesSent: UInt64 = 0
    public private(set) var bytesReceived: UInt64 = 0
    /// Records that found the log's queue full, that the file did not take, and that watchers were too slow for.
    public internal(set) var droppedByQueue: UInt64 = 0
    public internal(set) var lostByFile: UInt64 = 0
    /// Why records are not being written; nil while they are.
    public internal(set) var fileProblem: String?

    private static let reasons = FlowReason.allCases.count
    private static let encryptions = FlowEncryption.allCases.count

    public var totalFlows: UInt64 { flows.reduce(0, +) }
    public var refusedFlows: UInt64 {
        FlowReason.allCases.reduce(0) { sum, reason in
            FlowEncryption.allCases.reduce(sum) { $0 + flows[index(.refused, reason, $1)] }
        }
    }

    mutating func count(_ record: FlowRecord) {
        guard record.phase == .end else { return }
        flows[index(record.verdict, record.reason, record.encryption)] += 1
        bytesSent &+= record.bytesSent
        bytesReceived &+= record.bytesReceived
    }

    /// A number outside the lists, of which the data path makes none, counts as the list's first.
    private func index(_ verdict: FlowVerdict, _ reason: FlowReason, _ encryption: FlowEncryption) -> Int {
        let verdict = FlowVerdict.allCases.indices.contains(verdict.rawValue) ? verdict.rawValue : 0
        let reason = (0..<FlowCounters.reasons).contains(reason.rawValue) ? reason.rawValue : 0
        let encryption = (0..<FlowCounters.encryptions).contains(encryption.rawValue) ? encryption.rawValue : 0
        return (verdict * FlowCounters.reasons + reason) * FlowCounters.encryptions + encryption
    }

    public var metrics: [MetricFamily] {
        var samples: [MetricFamily.Sample] = []
        for verdict in [FlowVerdict.accepted, .refused] {
            for reason in FlowReason.allCases {
                for encryption in FlowEncryption.allCases {
                    let count = flows[index(verdict, reason, encryption)]
                    guard count > 0 else { continue }
                    samples.append(
                        .init(
                            Double(count),
                            labels: [
                                .init("verdict", verdict.word), .init("reason", reason.word), .init("encrypted", encryption.word),
                            ]))
                }
            }
        }
        return [
            MetricFamily("sallyport_flows_total", .counter, help: "Flows that ended.", samples: samples),
            MetricFamily(
                "sallyport_flow_bytes_total", .counter, help: "Application bytes of flows that ended, from the source's point of view.",
                samples: [
                    .init(Double(bytesSent), labels: [.init("direction", "sent")]),
                    .init(Double(bytesReceived), labels: [.init("direction", "received")]),
                ]),
            MetricFamily(
                "sallyport_flow_records_lost_total", .counter, help: "Flow records that were not written.",
                samples: [
                    .init(Double(droppedByQueue), labels: [.init("cause", "queue")]),
                    .init(Double(lostByFile), labels: [.init("cause", "file")]),
                ]),
            MetricFamily(
                "sallyport_flow_log_writable", .gauge, help: "0 while flow records cannot be written to their file.",
                fileProblem == nil ? 1 : 0),
        ]
    }
}
