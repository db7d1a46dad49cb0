// Deadlines without a heap: each kind of wait has one length, so a list in order of arrival is in
// order of deadline too. Every operation is constant time and allocates nothing.

/// What a connection waits for, each with a duration of its own.
enum TimeoutClass: UInt8, CaseIterable {
    case none
    case proxyHeader
    case sniff
    case name
    case dial
    case handshake
    case firstBytes
    case lasting
    case halfClosed
    case linger
    case drain
}

/// The connections that wait, a list for each class, linked through their slots.
struct Timeouts {
    private var heads = [Int32](repeating: -1, count: TimeoutClass.allCases.count)
    private var tails = [Int32](repeating: -1, count: TimeoutClass.allCases.count)
    private let durations: [UInt64]
    /// No deadline is earlier; ns of CLOCK_MONOTONIC. Nothing may be due then: what is stopped does not put it off.
    private(set) var due: UInt64 = .max

    /// - Parameter durations: Nanoseconds for each class, by raw value.
    init(durations: [UInt64]) { self.durations = durations }

    /// Puts a connection at the end of a class's list, out of any other it is in.
    mutating func start(_ kind: TimeoutClass, _ slot: ConnectionPointer, now: UInt64, in slab: borrowing Slab) {
        stop(slot, in: slab)
        let list = Int(kind.rawValue)
        slot.pointee.queue = kind
        slot.pointee.deadline = now &+ durations[list]
        due = min(due, slot.pointee.deadline)
        slot.pointee.previous = tails[list]
        slot.pointee.next = -1
        if tails[list] >= 0 { slab[tails[list]].pointee.next = slot.pointee.index } else { heads[list] = slot.pointee.index }
        tails[list] = slot.pointee.index
    }

    mutating func stop(_ slot: ConnectionPointer, in slab: borrowing Slab) {
        if slot.pointee.queue == .none { return }
        let list = Int(slot.pointee.queue.rawValue)
        let (previous, next) = (slot.pointee.previous, slot.pointee.next)
        if previous >= 0 { slab[previous].pointee.next = next } else { heads[list] = next }
        if next >= 0 { slab[next].pointee.previous = previous } else { tails[list] = previous }
        slot.pointee.queue = .none
        slot.pointee.previous = -1
        slot.pointee.next = -1
    }

    /// The connections in a class's list, the first in time first.
    func waiting(_ kind: TimeoutClass, in slab: borrowing Slab) -> [Int32] {
        var found: [Int32] = []
        var index = heads[Int(kind.rawValue)]
        while index >= 0 {
            found.append(index)
            index = slab[index].pointee.next
        }
        return found
    }

    /// A connection whose deadline has passed, with what it waited for; it is out of its list.
    mutating func expired(now: UInt64, in slab: borrowing Slab) -> (ConnectionPointer, TimeoutClass)? {
        if now < due { return nil }
        due = .max
        for head in heads where head >= 0 {
            let slot = slab[head]
            if slot.pointee.deadline <= now {
                let kind = slot.pointee.queue
                stop(slot, in: slab)
                // More may have passed.
                due = now
                return (slot, kind)
            }
            due = min(due, slot.pointee.deadline)
        }
        return nil
    }
}
