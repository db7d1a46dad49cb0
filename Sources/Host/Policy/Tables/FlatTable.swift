// A hash table in one array. Its keys and values are plain numbers, so that a snapshot's copy of it costs one
// memcpy, and a look-up touches one or two cache lines and counts no reference.

/// A key that is a few integers.
package protocol FlatKey: Equatable, BitwiseCopyable, Sendable {
    /// A number that depends on all of the key.
    var scrambled: UInt64 { get }
}

extension UInt32: FlatKey {
    package var scrambled: UInt64 { scramble(UInt64(self)) }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014), shortened.
func scramble(_ number: UInt64) -> UInt64 {
    let mixed = (number ^ number >> 32) &* 0x9e37_79b9_7f4a_7c15
    return mixed ^ mixed >> 29
}

/// Open addressing, linear probing, at most three quarters full; removing shifts back what follows, so that no
/// tombstones gather.
package struct FlatTable<Key: FlatKey, Value: BitwiseCopyable & Sendable>: Sendable {
    private struct Slot: BitwiseCopyable, Sendable {
        var key: Key
        var value: Value
        var isUsed: Bool
    }

    /// None, or a power of two of them.
    private var slots: [Slot] = []
    package private(set) var count = 0

    package init() {}

    package subscript(key: Key) -> Value? {
        get {
            guard count > 0 else { return nil }
            let slot = slots[position(of: key)]
            return slot.isUsed ? slot.value : nil
        }
        set {
            if let newValue { set(key, newValue) } else { remove(key) }
        }
    }

    /// Where `key` is, or the free slot where it would go. There is always a free one.
    private func position(of key: Key) -> Int {
        let mask = slots.count - 1
        var position = Int(truncatingIfNeeded: key.scrambled) & mask
        while slots[position].isUsed && slots[position].key != key { position = (position + 1) & mask }
        return position
    }

    private mutating func set(_ key: Key, _ value: Value) {
        if (count + 1) * 4 > slots.count * 3 { grow(key, value) }
        let position = position(of: key)
        if !slots[position].isUsed { count += 1 }
        slots[position] = Slot(key: key, value: value, isUsed: true)
    }

    /// - Parameters: Any key and value, to fill the free slots with.
    private mutating func grow(_ key: Key, _ value: Value) {
        let old = slots
        slots = Array(repeating: Slot(key: key, value: value, isUsed: false), count: max(8, old.count * 2))
        for slot in old where slot.isUsed { slots[position(of: slot.key)] = slot }
    }

    private mutating func remove(_ key: Key) {
        guard count > 0 else { return }
        var hole = position(of: key)
        guard slots[hole].isUsed else { return }
        let mask = slots.count - 1
        var next = (hole + 1) & mask
        while slots[next].isUsed {
            // What follows may fill the hole unless its own place lies behind the hole.
            let home = Int(truncatingIfNeeded: slots[next].key.scrambled) & mask
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole].isUsed = false
        count -= 1
    }
}
