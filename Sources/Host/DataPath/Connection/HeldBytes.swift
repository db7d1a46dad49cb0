// Bytes that a connection must keep: the rest of what a slow peer would not take, or the first part
// of a message that is not whole yet. Held outside the thread's buffers, and only while needed.

import Linux

/// A queue of bytes in memory of its own; none while empty.
struct HeldBytes {
    private var base: UnsafeMutablePointer<UInt8>?
    private var start = 0
    private var end = 0
    private var capacity = 0

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// What is held. Valid until the next change.
    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base.map { UnsafePointer($0 + start) }, count: count)
    }

    mutating func append(_ source: UnsafePointer<UInt8>, _ count: Int) {
        if count <= 0 { return }
        if end + count > capacity { makeRoom(count) }
        guard let base else { return }
        (base + end).update(from: source, count: count)
        end += count
    }

    mutating func removeFirst(_ count: Int) {
        start += min(count, self.count)
        if isEmpty { free() }
    }

    mutating func free() {
        base?.deallocate()
        base = nil
        start = 0
        end = 0
        capacity = 0
    }

    private mutating func makeRoom(_ more: Int) {
        let needed = count + more
        let size = max(needed, min(capacity * 2, needed + 64 * 1024), 512)
        let grown = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        if let base {
            grown.update(from: base + start, count: count)
            base.deallocate()
        }
        end = count
        start = 0
        base = grown
        capacity = size
    }
}
