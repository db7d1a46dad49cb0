// A flat table with several values for one key.

package struct MultiTable<Key: FlatKey, Value: Equatable & BitwiseCopyable & Sendable>: Sendable {
    private struct Chain: BitwiseCopyable, Sendable {
        var first: Int32
        var count: Int32
    }
    private struct Node: BitwiseCopyable, Sendable {
        var value: Value
        /// -1 at the end of a chain.
        var next: Int32
    }

    private var chains = FlatTable<Key, Chain>()
    private var nodes: [Node] = []
    /// Head of the chain of free nodes.
    private var free: Int32 = -1

    package init() {}

    /// How many values `key` has.
    package func count(_ key: Key) -> Int { Int(chains[key]?.count ?? 0) }

    /// Where the values of `key` begin, the newest first; nil if it has none.
    @inline(__always)
    package func first(_ key: Key) -> Int32? { chains[key]?.first }

    /// The value at a place that `first` or `next(after:)` gave.
    @inline(__always)
    package func value(at place: Int32) -> Value { nodes[Int(place)].value }

    /// The place of the next value; nil after the last.
    @inline(__always)
    package func next(after place: Int32) -> Int32? {
        let next = nodes[Int(place)].next
        return next < 0 ? nil : next
    }

    /// Calls `body` with each value of `key`.
    @inline(__always)
    package func forEach(_ key: Key, _ body: (Value) -> Void) {
        var place = first(key)
        while let current = place {
            body(value(at: current))
            place = next(after: current)
        }
    }

    package mutating func insert(_ key: Key, _ value: Value) {
        var chain = chains[key] ?? Chain(first: -1, count: 0)
        let node = Node(value: value, next: chain.first)
        if free >= 0 {
            chain.first = free
            free = nodes[Int(free)].next
            nodes[Int(chain.first)] = node
        } else {
            chain.first = Int32(nodes.count)
            nodes.append(node)
        }
        chain.count += 1
        chains[key] = chain
    }

    /// Removes one value of `key` that equals `value`.
    /// - Returns: Whether there was one.
    @discardableResult
    package mutating func remove(_ key: Key, _ value: Value) -> Bool {
        guard var chain = chains[key] else { return false }
        var previous: Int32 = -1
        var current = chain.first
        while current >= 0 && nodes[Int(current)].value != value {
            previous = current
            current = nodes[Int(current)].next
        }
        guard current >= 0 else { return false }
        let next = nodes[Int(current)].next
        if previous < 0 { chain.first = next } else { nodes[Int(previous)].next = next }
        nodes[Int(current)].next = free
        free = current
        chain.count -= 1
        chains[key] = chain.count == 0 ? nil : chain
        return true
    }
}
