// What is known of one name: which addresses hold, which are on their way out, when to ask again.

import Linux

/// The bounds of the times, in seconds.
package struct NameTimes: Sendable, Equatable {
    package var minimumTTL: Int64
    package var maximumTTL: Int64
    package var grace: Int64

    package init(minimumTTL: Int64 = 1, maximumTTL: Int64 = 3600, grace: Int64 = 60) {
        self.minimumTTL = minimumTTL
        self.maximumTTL = maximumTTL
        self.grace = grace
    }
}

/// One name. A value without I/O; times are seconds of a `PluginClock`.
struct NameRecord: Sendable {
    /// A name that gives other addresses each second must not fill the memory, nor the kernel's sets.
    static let maximumAddresses = 4096
    /// After the first failure, doubled with each further one.
    static let firstRetry: Int64 = 1
    static let lastRetry: Int64 = 30

    /// Each address, and since when DNS no longer names it.
    private var addresses: [IPAddress: Int64?] = [:]
    private var failures: Int64 = 0
    private(set) var nextQuestion: Int64
    /// Why the addresses may be stale, or missing; empty if they are not.
    private(set) var problem = "is being resolved"

    init(at now: Int64) { nextQuestion = now }

    /// In a fixed order.
    var current: [IPAddress] { addresses.keys.sorted() }

    /// When the first address on its way out goes.
    func nextExpiry(_ times: NameTimes) -> Int64? {
        addresses.values.compactMap { $0 }.min().map { $0 + times.grace }
    }

    mutating func expire(at now: Int64, _ times: NameTimes) {
        addresses = addresses.filter { $0.value.map { now < $0 + times.grace } ?? true }
    }

    mutating func learn(_ answer: NameAnswer, at now: Int64, _ times: NameTimes) {
        var named: [IPAddress] = []
        var leastTTL = UInt32.max
        var failure: String?
        for family in [answer.v4, answer.v6] {
            switch family {
            case .addresses(let addresses, let ttl):
                named += addresses
                leastTTL = min(leastTTL, ttl)
            case .failed(let reason): failure = reason
            case .none: break
            }
        }
        if failure == nil && named.isEmpty {
            failure = answer.v4 == .none(.noSuchName) ? "no such name exists" : "the name has no addresses"
        }
        // What was not answered is not known to be gone.
        let isAnswered = { (address: IPAddress) in
            switch address.isV4 ? answer.v4 : answer.v6 {
            case .addresses: true
            case .none: !named.isEmpty
            case .failed: false
            }
        }
        for (address, since) in addresses where since == nil && isAnswered(address) { addresses[address] = .some(now) }
        for address in named { addresses[address] = .some(nil) }
        forgetOldest()
        if let failure {
            failures += 1
            let retry = min(NameRecord.lastRetry, NameRecord.firstRetry << min(failures - 1, 10))
            nextQuestion = now + min(times.maximumTTL, max(times.minimumTTL, retry))
            problem = failure + (addresses.isEmpty ? "" : "; its last addresses stay")
        } else {
            failures = 0
            nextQuestion = now + min(times.maximumTTL, max(times.minimumTTL, Int64(leastTTL)))
            problem = ""
        }
    }

    /// Drops what has been gone longest where there is too much.
    private mutating func forgetOldest() {
        let excess = addresses.count - NameRecord.maximumAddresses
        guard excess > 0 else { return }
        let byAge = addresses.sorted { ($0.value ?? .max, $0.key) < ($1.value ?? .max, $1.key) }
        for (address, _) in byAge.prefix(excess) { addresses[address] = nil }
    }
}
