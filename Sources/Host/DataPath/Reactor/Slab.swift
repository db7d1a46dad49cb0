// Where connections live: slots in chunks that never move, found by number.

/// A growing array of connections at fixed addresses, with a list of free slots.
struct Slab: ~Copyable {
    private static let chunkSize = 256
    private var chunks: [ConnectionPointer] = []
    private var free: [Int32] = []
    private(set) var live = 0

    deinit {
        for chunk in chunks {
            chunk.deinitialize(count: Slab.chunkSize)
            chunk.deallocate()
        }
    }

    /// A slot, as new but for its index and incarnation.
    mutating func take() -> ConnectionPointer {
        if free.isEmpty { grow() }
        let index = free.removeLast()
        let slot = self[index]
        slot.pointee.isLive = true
        live += 1
        return slot
    }

    /// Gives a slot back; everything it refers to is let go.
    mutating func give(back slot: ConnectionPointer) {
        let index = slot.pointee.index
        let incarnation = slot.pointee.incarnation &+ 1
        slot.pointee = Connection()
        slot.pointee.index = index
        slot.pointee.incarnation = incarnation
        free.append(index)
        live -= 1
    }

    subscript(index: Int32) -> ConnectionPointer {
        chunks[Int(index) / Slab.chunkSize] + Int(index) % Slab.chunkSize
    }

    var capacity: Int32 { Int32(chunks.count * Slab.chunkSize) }

    private mutating func grow() {
        let first = capacity
        let chunk = ConnectionPointer.allocate(capacity: Slab.chunkSize)
        chunk.initialize(repeating: Connection(), count: Slab.chunkSize)
        for offset in 0..<Slab.chunkSize { chunk[offset].index = first + Int32(offset) }
        chunks.append(chunk)
        free.append(contentsOf: (first..<first + Int32(Slab.chunkSize)).reversed())
    }
}
