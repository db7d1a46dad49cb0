// How many flows were refused for their PROXY header, by service, in the last hour: for `sallyport doctor`.

import SallyportProtocol

/// Counts in slots of five minutes. A value without I/O.
public struct ProxyRefusals: Sendable {
    public struct Count: Sendable, Equatable {
        /// "NAMESPACE/NAME"; empty if it was not known yet.
        public let service: String
        public let reason: FlowReason
        public let count: UInt64

        public init(service: String, reason: FlowReason, count: UInt64) {
            self.service = service
            self.reason = reason
            self.count = count
        }
    }

    private struct Key: Hashable {
        let service: String
        let reason: FlowReason
    }

    private struct Slot: Sendable {
        let number: Int64
        var count: UInt64
    }

    private static let slotSeconds: Int64 = 300
    private static let slotsKept: Int64 = 12
    /// Of services and reasons together: 256 services that are all wrong in each way say no more than these.
    package static let maximumKeys = 1024

    private var slots: [Key: [Slot]] = [:]

    package init() {}

    package static func concerns(_ record: FlowRecord) -> Bool {
        guard record.phase == .end, record.verdict == .refused else { return false }
        return switch record.reason {
        case .badProxyHeader, .proxyHeaderMissing, .proxyHeaderTimeout, .proxyHeaderUntrusted: true
        default: false
        }
    }

    /// - Parameter seconds: Of a clock that is not set back.
    package mutating func count(_ record: FlowRecord, at seconds: Int64) {
        let key = Key(service: record.service ?? "", reason: record.reason)
        let number = seconds / ProxyRefusals.slotSeconds
        if slots[key] == nil && slots.count >= ProxyRefusals.maximumKeys {
            slots = slots.filter { ($0.value.last?.number ?? 0) > number - ProxyRefusals.slotsKept }
            if slots.count >= ProxyRefusals.maximumKeys { return }
        }
        var counts = slots[key] ?? []
        if let last = counts.last, last.number == number {
            counts[counts.count - 1].count += 1
        } else {
            counts.removeAll { $0.number <= number - ProxyRefusals.slotsKept }
            counts.append(Slot(number: number, count: 1))
        }
        slots[key] = counts
    }

    /// By service, then reason; those that came in the hour before `seconds`, to five minutes.
    package func counts(at seconds: Int64) -> [Count] {
        let first = seconds / ProxyRefusals.slotSeconds - ProxyRefusals.slotsKept
        return slots.compactMap { key, slots in
            let count = slots.reduce(0) { $1.number > first ? $0 + $1.count : $0 }
            return count > 0 ? Count(service: key.service, reason: key.reason, count: count) : nil
        }.sorted { ($0.service, $0.reason.rawValue) < ($1.service, $1.reason.rawValue) }
    }
}
