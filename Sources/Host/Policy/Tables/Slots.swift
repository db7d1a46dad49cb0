// Numbered places for objects. They are kept in chunks, so that changing one of 100,000 processing units while a
// snapshot still holds them copies 256 of them and not all.

package struct Slots<Element: Sendable>: Sendable {
    private static var chunk: Int { 256 }
    private var chunks: [[Element?]] = []
    private var free: [Int32] = []
    package private(set) var count = 0

    package init() {}

    /// Nil for a number that is not in use.
    package subscript(number: Int32) -> Element? {
        let number = Int(number)
        guard number >= 0 && number < chunks.count * Slots.chunk else { return nil }
        return chunks[number / Slots.chunk][number % Slots.chunk]
    }

    /// Puts the element that `make` builds for its number in a free place.
    package mutating func add(_ make: (Int32) -> Element) -> Int32 {
        if free.isEmpty {
            let first = Int32(chunks.count * Slots.chunk)
            chunks.append(Array(repeating: nil, count: Slots.chunk))
            free.append(contentsOf: (first..<first + Int32(Slots.chunk)).reversed())
        }
        let number = free.removeLast()
        put(make(number), number)
        count += 1
        return number
    }

    /// Replaces the element of a number in use.
    package mutating func replace(_ number: Int32, _ element: Element) { put(element, number) }

    package mutating func remove(_ number: Int32) {
        put(nil, number)
        free.append(number)
        count -= 1
    }

    private mutating func put(_ element: Element?, _ number: Int32) {
        chunks[Int(number) / Slots.chunk][Int(number) % Slots.chunk] = element
    }

    package func forEach(_ body: (Int32, Element) -> Void) {
        for (index, chunk) in chunks.enumerated() {
            for (offset, element) in chunk.enumerated() {
                if let element { body(Int32(index * Slots.chunk + offset), element) }
            }
        }
    }
}
