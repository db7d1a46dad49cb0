// How the rules of a table lie in memory: in flat arrays, each clause filed under one atom that it requires.

struct RuleLayout: Sendable {
    /// One clause of a rule's object, under the atom it is filed by.
    struct Entry: BitwiseCopyable, Sendable {
        var rule: Int32
        var clause: Int32
        /// Which list of ranges of ports the rule has; -1 where the entry is for one port.
        var ports: Int32
        var port: UInt16
    }
    /// Entries of a bucket with the same ranges of ports, which are looked at once for all of them.
    struct Group: BitwiseCopyable, Sendable {
        var ports: Int32
        var start: Int32
        var end: Int32
    }
    /// What is filed under an atom: groups, in each by rule; and entries for one port, by port and rule.
    struct Bucket: BitwiseCopyable, Sendable {
        var firstGroup: Int32
        var endGroup: Int32
        var firstSingle: Int32
        var endSingle: Int32
    }
    /// A clause: what it requires, then what it excludes, in `atoms`.
    struct Span: BitwiseCopyable, Sendable {
        var start: Int32
        var required: Int32
        var end: Int32
    }

    private(set) var buckets = FlatTable<UInt32, Bucket>()
    private(set) var groups: [Group] = []
    private(set) var entries: [Entry] = []
    private(set) var clauses: [Span] = []
    private(set) var atoms: [UInt32] = []
    /// Where the clauses of each rule begin, and where those of the last end.
    private(set) var clauseStarts: [Int32] = []
    /// Each list of ranges of ports once, and which one each rule has.
    private(set) var ports: [[ClosedRange<UInt16>]] = []
    private(set) var portsOfRule: [Int32] = []

    /// A rule for more single ports than this is searched by its ranges.
    private static let maximumSinglePorts = 16

    init(_ rules: [CompiledRule]) {
        var users: [UInt32: Int32] = [:]
        var numbers: [[ClosedRange<UInt16>]: Int32] = [:]
        for rule in rules {
            addPorts(rule.ports.ranges, &numbers)
            clauseStarts.append(Int32(clauses.count))
            for clause in rule.object.clauses {
                addClause(clause)
                for atom in clause.required { users[atom, default: 0] += 1 }
            }
        }
        clauseStarts.append(Int32(clauses.count))

        var filed: [UInt32: [Entry]] = [:]
        for (index, rule) in rules.enumerated() {
            for (offset, clause) in rule.object.clauses.enumerated() {
                // The atom that fewest clauses ask for, so that the buckets stay short.
                let anchor = clause.required.min { users[$0, default: 0] < users[$1, default: 0] } ?? TagAtoms.anything
                filed[anchor, default: []] += makeEntries(rule, Int32(index), clauseStarts[index] + Int32(offset))
            }
        }
        for (atom, entries) in filed { addBucket(atom, entries) }
    }

    private mutating func addPorts(_ ranges: [ClosedRange<UInt16>], _ numbers: inout [[ClosedRange<UInt16>]: Int32]) {
        if let known = numbers[ranges] {
            portsOfRule.append(known)
            return
        }
        let number = Int32(ports.count)
        ports.append(ranges)
        numbers[ranges] = number
        portsOfRule.append(number)
    }

    private mutating func addClause(_ clause: CompiledSelector.Clause) {
        let start = Int32(atoms.count)
        atoms += clause.required
        let required = Int32(atoms.count)
        atoms += clause.excluded
        clauses.append(Span(start: start, required: required, end: Int32(atoms.count)))
    }

    private func makeEntries(_ rule: CompiledRule, _ index: Int32, _ clause: Int32) -> [Entry] {
        let ranges = rule.ports.ranges
        if rule.ports.areSingle && ranges.count <= RuleLayout.maximumSinglePorts {
            return ranges.map { Entry(rule: index, clause: clause, ports: -1, port: $0.lowerBound) }
        }
        return [Entry(rule: index, clause: clause, ports: portsOfRule[Int(index)], port: 0)]
    }

    private mutating func addBucket(_ atom: UInt32, _ unsorted: [Entry]) {
        let firstSingle = Int32(entries.count)
        let firstGroup = Int32(groups.count)
        // Those for one port have no number of ports and so come first.
        for entry in unsorted.sorted(by: { ($0.ports, $0.port, $0.rule) < ($1.ports, $1.port, $1.rule) }) {
            if entry.ports >= 0 {
                if groups.count == firstGroup || groups[groups.count - 1].ports != entry.ports {
                    groups.append(Group(ports: entry.ports, start: Int32(entries.count), end: Int32(entries.count)))
                }
                groups[groups.count - 1].end += 1
            }
            entries.append(entry)
        }
        buckets[atom] = Bucket(
            firstGroup: firstGroup, endGroup: Int32(groups.count), firstSingle: firstSingle,
            endSingle: firstSingle + Int32(unsorted.count { $0.ports < 0 }))
    }
}
