// The newest records, in memory, for those who ask what has just happened.

struct FlowRing {
    private let capacity: Int
    private var records: [FlowRecord] = []
    /// Where the next record goes once the ring is full: the oldest is there.
    private var next = 0

    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ batch: [FlowRecord]) {
        for record in batch.suffix(capacity) {
            if records.count < capacity {
                records.append(record)
            } else {
                records[next] = record
                next = next + 1 == capacity ? 0 : next + 1
            }
        }
    }

    /// The newest `limit` records that ended at `nanoseconds` since 1970 or later, oldest first.
    func since(_ nanoseconds: Int64, limit: Int) -> [FlowRecord] {
        var found: [FlowRecord] = []
        for offset in stride(from: records.count - 1, through: 0, by: -1) {
            if found.count == limit { break }
            let record = records[(next + offset) % records.count]
            // Recorded in the order of their ends, nearly: workers hand them over in batches.
            if record.start &+ record.duration >= nanoseconds { found.append(record) }
        }
        found.reverse()
        return found
    }
}
