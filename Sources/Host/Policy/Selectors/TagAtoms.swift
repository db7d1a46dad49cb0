// What selectors ask of tags, as integers: each distinct question ("app=web", "app=*", "app=we*") is an atom.
// A peer's tags become the atoms they satisfy, once; after that no string is compared. A negated expression
// asks that an atom be absent, so tags that no selector names need no atom of their own.

import PolicyDocuments

/// The atoms of the selectors in force.
struct TagAtoms: Sendable {
    /// Satisfied by everything that has a tag; the anchor of clauses made of negations only.
    static let anything: UInt32 = 0

    private var exact: [String: UInt32] = [:]
    private var prefixes: [String: UInt32] = [:]
    private var keys: [String: KeyAtoms] = [:]
    /// The atoms about derived tags. A PU has one value for each of their keys.
    private(set) var derived: [UInt32: TagExpression] = [:]
    private(set) var count: UInt32 = 1

    private struct KeyAtoms: Sendable {
        var present: UInt32?
        /// Lengths in UTF-8 of the prefixes asked for, each once.
        var prefixLengths: [Int] = []
    }

    /// The atom of what an expression asks, negated or not.
    mutating func atom(_ expression: TagExpression) -> UInt32 {
        let key = expression.key
        switch expression.condition {
        case .equals(let value), .notEquals(let value):
            let tag = "\(key)=\(value)"
            if let known = exact[tag] { return known }
            exact[tag] = count
        case .hasPrefix(let prefix):
            let tag = "\(key)=\(prefix)"
            if let known = prefixes[tag] { return known }
            prefixes[tag] = count
            let length = prefix.utf8.count
            if keys[key]?.prefixLengths.contains(length) != true { keys[key, default: KeyAtoms()].prefixLengths.append(length) }
        case .present, .absent:
            if let known = keys[key]?.present { return known }
            keys[key, default: KeyAtoms()].present = count
        }
        if key.utf8.first == UInt8(ascii: "$") { derived[count] = expression }
        count += 1
        return count - 1
    }

    /// The atoms that `tags` satisfy, sorted; none at all for no tags.
    func satisfied(by tags: [String]) -> [UInt32] {
        guard !tags.isEmpty else { return [] }
        var atoms: [UInt32] = []
        atoms.reserveCapacity(tags.count + 4)
        atoms.append(TagAtoms.anything)
        for tag in tags {
            if let atom = exact[tag] { atoms.append(atom) }
            if !keys.isEmpty { appendByKey(tag, to: &atoms) }
        }
        atoms.sort()
        removeRepeats(&atoms)
        return atoms
    }

    private func appendByKey(_ tag: String, to atoms: inout [UInt32]) {
        let utf8 = tag.utf8
        guard let equals = utf8.firstIndex(of: UInt8(ascii: "=")), let key = keys[String(tag[..<equals])] else { return }
        if let atom = key.present { atoms.append(atom) }
        let value = utf8.index(after: equals)
        for length in key.prefixLengths {
            // A prefix that would end inside a character is no prefix.
            guard let end = utf8.index(value, offsetBy: length, limitedBy: utf8.endIndex), let prefix = String(utf8[..<end]),
                let atom = prefixes[prefix]
            else { continue }
            atoms.append(atom)
        }
    }
}

/// Removes all but one of equal neighbours.
func removeRepeats<Element: Equatable>(_ sorted: inout [Element]) {
    guard sorted.count > 1 else { return }
    var kept = 1
    for index in 1..<sorted.count where sorted[index] != sorted[kept - 1] {
        sorted[kept] = sorted[index]
        kept += 1
    }
    sorted.removeSubrange(kept...)
}

/// Binary search in a sorted list.
@inline(__always)
func contains(_ sorted: [UInt32], _ atom: UInt32) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
        let middle = (low + high) / 2
        if sorted[middle] < atom { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == atom
}
