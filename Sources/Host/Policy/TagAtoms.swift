// What selectors ask of tags, as integers: each distinct question ("app=web", "app=*", "app=we*") is an atom.
// A peer's tags become the atoms they satisfy, once; after that no string is compared. A negated expression
// asks that an atom be absent, so tags that no selector names need no atom of their own.

/// The atoms of all selectors in force. Numbers are never reused.
struct TagAtoms: Sendable {
    /// Satisfied by everything that has a tag; the anchor of clauses made of negations only.
    static let anything: UInt32 = 0

    private var exact: [String: UInt32] = [:]
    private var prefixes: [String: UInt32] = [:]
    private var keys: [String: KeyAtoms] = [:]
    private(set) var count: UInt32 = 1

    private struct KeyAtoms: Sendable {
        var present: UInt32?
        /// Lengths in UTF-8 of the prefixes asked for, each once.
        var prefixLengths: [Int] = []
    }

    /// The atom of an expression's test, negated or not.
    mutating func atom(_ expression: TagExpression) -> UInt32 {
        switch expression.test {
        case .equals(let value):
            let tag = "\(expression.key)=\(value)"
            if let known = exact[tag] { return known }
            exact[tag] = count
        case .hasPrefix(let prefix):
            let tag = "\(expression.key)=\(prefix)"
            if let known = prefixes[tag] { return known }
            prefixes[tag] = count
            let length = prefix.utf8.count
            if keys[expression.key]?.prefixLengths.contains(length) != true {
                keys[expression.key, default: KeyAtoms()].prefixLengths.append(length)
            }
        case .present:
            if let known = keys[expression.key]?.present { return known }
            keys[expression.key, default: KeyAtoms()].present = count
        }
        count += 1
        return count - 1
    }

    /// The atoms that `tags` satisfy, sorted; none at all for no tags.
    func satisfied(by tags: [String]) -> [UInt32] {
        guard !tags.isEmpty else { return [] }
        var atoms = [TagAtoms.anything]
        for tag in tags {
            if let atom = exact[tag] { atoms.append(atom) }
            guard let equals = tag.utf8.firstIndex(of: UInt8(ascii: "=")), let key = keys[String(tag[..<equals])] else { continue }
            if let atom = key.present { atoms.append(atom) }
            let value = tag.utf8.index(after: equals)
            for length in key.prefixLengths {
                guard let end = tag.utf8.index(value, offsetBy: length, limitedBy: tag.utf8.endIndex),
                    let prefix = String(tag.utf8[..<end]), let atom = prefixes[prefix]
                else { continue }
                atoms.append(atom)
            }
        }
        atoms.sort()
        return atoms.reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
}
