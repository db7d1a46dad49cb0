// A set of small numbers, a bit each: which of the services a PU sees.

package struct NumberSet: Hashable, Sendable {
    /// No zero word at the end, so that equal sets are equal arrays.
    private var words: [UInt64] = []

    package init() {}

    package var isEmpty: Bool { words.isEmpty }

    @inline(__always)
    package func contains(_ number: Int32) -> Bool {
        let word = Int(number >> 6)
        return word < words.count && words[word] >> UInt64(number & 63) & 1 == 1
    }

    package mutating func insert(_ number: Int32) {
        let word = Int(number >> 6)
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: word + 1 - words.count)) }
        words[word] |= 1 << UInt64(number & 63)
    }

    package mutating func formUnion(_ other: NumberSet) {
        if other.words.count > words.count {
            words.append(contentsOf: repeatElement(0, count: other.words.count - words.count))
        }
        for index in other.words.indices { words[index] |= other.words[index] }
    }

    /// Whether both hold the same numbers, apart from those in `ignored`.
    package func isEqual(to other: NumberSet, ignoring ignored: NumberSet) -> Bool {
        func word(_ set: NumberSet, _ index: Int) -> UInt64 { index < set.words.count ? set.words[index] : 0 }
        return (0..<max(words.count, other.words.count)).allSatisfy { index in
            (word(self, index) ^ word(other, index)) & ~word(ignored, index) == 0
        }
    }

    package func intersects(_ other: NumberSet) -> Bool { zip(words, other.words).contains { $0 & $1 != 0 } }

    /// Calls `body` with each number, rising.
    package func forEach(_ body: (Int32) -> Void) {
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                body(Int32(index << 6 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
    }
}
