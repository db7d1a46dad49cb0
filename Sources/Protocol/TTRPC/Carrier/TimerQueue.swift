// Deadlines in order, without a clock of its own.

/// What is to be done when, earliest first. Cancelled timers leave no trace beyond a bounded number of stale
/// heap entries, so that a caller who sets and cancels a deadline per call does not grow it.
package struct TimerQueue<Action> {
    private struct Entry: Sendable {
        let deadline: UInt64
        let id: UInt64
    }

    /// A binary heap by deadline; an entry whose id is not in `actions` was cancelled.
    private var heap: [Entry] = []
    private var actions: [UInt64: (deadline: UInt64, action: Action)] = [:]
    private var lastID: UInt64 = 0

    package init() {}

    package var count: Int { actions.count }
    /// The earliest deadline.
    package var next: UInt64? {
        mutating get {
            dropCancelled()
            return heap.first?.deadline
        }
    }

    /// - Returns: An id for `cancel`.
    package mutating func add(_ deadline: UInt64, _ action: Action) -> UInt64 {
        lastID += 1
        actions[lastID] = (deadline, action)
        push(Entry(deadline: deadline, id: lastID))
        return lastID
    }

    package mutating func cancel(_ id: UInt64) {
        guard actions.removeValue(forKey: id) != nil, heap.count > 2 * actions.count + 64 else { return }
        heap.removeAll(keepingCapacity: false)
        for (id, timer) in actions { push(Entry(deadline: timer.deadline, id: id)) }
    }

    /// Takes out what is due at `now`, in order.
    package mutating func due(_ now: UInt64) -> [Action] {
        var due: [Action] = []
        while let deadline = next, deadline <= now {
            if let timer = actions.removeValue(forKey: pop().id) { due.append(timer.action) }
        }
        return due
    }

    private mutating func dropCancelled() {
        while let first = heap.first, actions[first.id] == nil { _ = pop() }
    }

    private mutating func push(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    /// Removes the first entry; there must be one.
    private mutating func pop() -> Entry {
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            if least == parent { return first }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}

extension TimerQueue: Sendable where Action: Sendable {}
