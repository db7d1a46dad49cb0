// The tables below the compiled form, against the standard library's.

import Policy
import Support
import Testing

@Suite struct TableTests {
    @Test("a flat table holds what a dictionary does, through insertions, replacements and removals")
    func flatTable() {
        var random = SplitMix64(seed: 3)
        for size in [4, 40, 4000] as [UInt32] {
            var table = FlatTable<UInt32, Int32>()
            var expected: [UInt32: Int32] = [:]
            for _ in 0..<20_000 {
                let key = UInt32.random(in: 0..<size, using: &random)
                let value = Bool.random(using: &random) ? Int32.random(in: -9...9, using: &random) : nil
                table[key] = value
                expected[key] = value
            }
            #expect(table.count == expected.count)
            for key in 0..<size { #expect(table[key] == expected[key]) }
        }
    }

    @Test("a copy of a flat table does not change with the original")
    func copies() {
        var table = FlatTable<UInt32, Int32>()
        table[1] = 1
        let copy = table
        table[1] = 2
        table[2] = 2
        #expect(copy[1] == 1 && copy[2] == nil && copy.count == 1)
    }

    @Test("a multitable holds each key's values, removes one at a time and uses its places again")
    func multiTable() {
        var random = SplitMix64(seed: 4)
        var table = MultiTable<UInt32, Int32>()
        var expected: [UInt32: [Int32]] = [:]
        for _ in 0..<20_000 {
            let key = UInt32.random(in: 0..<50, using: &random)
            let value = Int32.random(in: 0..<20, using: &random)
            if Bool.random(using: &random) {
                table.insert(key, value)
                expected[key, default: []].append(value)
            } else {
                let index = expected[key]?.firstIndex(of: value)
                #expect(table.remove(key, value) == (index != nil))
                if let index { expected[key]?.remove(at: index) }
            }
        }
        for key in 0..<50 as Range<UInt32> {
            var found: [Int32] = []
            table.forEach(key) { found.append($0) }
            #expect(found.sorted() == (expected[key] ?? []).sorted())
            #expect(table.count(key) == found.count)
        }
    }

    @Test("a number set holds what a set does")
    func numberSet() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<200 {
            let numbers = (0..<2).map { _ in Set((0..<Int.random(in: 0...9, using: &random)).map { _ in Int32.random(in: 0..<300, using: &random) }) }
            let sets = numbers.map { numbers in numbers.reduce(into: NumberSet()) { $0.insert($1) } }
            #expect(sets[0].intersects(sets[1]) == !numbers[0].isDisjoint(with: numbers[1]))
            #expect((sets[0] == sets[1]) == (numbers[0] == numbers[1]))
            #expect(sets[0].isEmpty == numbers[0].isEmpty)
            var union = sets[0]
            union.formUnion(sets[1])
            var found: [Int32] = []
            union.forEach { found.append($0) }
            #expect(found == numbers[0].union(numbers[1]).sorted())
            for number in 0..<320 as Range<Int32> { #expect(union.contains(number) == found.contains(number)) }
        }
    }

    @Test("slots give numbers, use them again, and leave copies alone")
    func slots() {
        var slots = Slots<String>()
        let first = (0..<600).map { index in slots.add { _ in "\(index)" } }
        #expect(first.map { slots[$0] } == (0..<600).map { "\($0)" } && Set(first).count == 600)
        let copy = slots
        for number in first.prefix(500) { slots.remove(number) }
        slots.replace(first[550], "x")
        let again = (0..<500).map { index in slots.add { "\($0)/\(index)" } }
        #expect(Set(again) == Set(first.prefix(500)) && slots.count == 600)
        #expect(slots[first[550]] == "x" && copy[first[550]] == "550" && copy[first[0]] == "0" && copy.count == 600)
        #expect(slots[-1] == nil && slots[100_000] == nil)
        var count = 0
        slots.forEach { number, element in
            #expect(slots[number] == element)
            count += 1
        }
        #expect(count == 600)
    }
}
