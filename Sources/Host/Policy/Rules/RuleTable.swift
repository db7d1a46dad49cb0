// The rules of one direction that hold for a PU, arranged so that a decision looks only at rules about tags that the
// peer has, however many others there are. Shared by all PUs for which the same rulesets hold.

/// Rules in the order in which they decide; the first that matches wins.
final class RuleTable: Sendable {
    /// Reject rules first, then Allow rules; within each, as given.
    let rules: [CompiledRule]
    /// How many of `rules` are Reject rules.
    let rejectCount: Int

    /// One clause of a rule's object, under the atom it is filed by.
    private struct Entry: BitwiseCopyable, Sendable {
        var rule: Int32
        var clause: Int32
        /// The one port it is for; 0 where the rule's ranges must be searched.
        var port: UInt16
    }
    /// Where an atom's entries lie: first those with ranges, by rule; then those for one port, by port and rule.
    private struct Bucket: BitwiseCopyable, Sendable {
        var start: Int32
        var ranged: Int32
        var end: Int32
    }
    private struct Span: BitwiseCopyable, Sendable {
        var start: Int32
        var required: Int32
        var end: Int32
    }

    private let buckets: FlatTable<UInt32, Bucket>
    private let entries: [Entry]
    /// Of each clause of each rule: what it requires, then what it excludes, in `atoms`.
    private let clauses: [Span]
    private let atoms: [UInt32]
    /// Of each rule: its clauses, and its ranges of ports.
    private let clauseStarts: [Int32]
    private let rangeStarts: [Int32]
    private let ranges: [ClosedRange<UInt16>]

    /// A rule for more single ports than this is searched by its ranges.
    private static let maximumSinglePorts = 16

    /// - Parameter rules: In order of precedence: nearest namespace, ruleset's name, order in the ruleset.
    init(_ given: [CompiledRule]) {
        let rejects = given.filter { !$0.allows }
        rules = rejects + given.filter(\.allows)
        rejectCount = rejects.count

        var clauses: [Span] = []
        var atoms: [UInt32] = []
        var clauseStarts: [Int32] = []
        var rangeStarts: [Int32] = []
        var ranges: [ClosedRange<UInt16>] = []
        var users: [UInt32: Int32] = [:]
        for rule in rules {
            clauseStarts.append(Int32(clauses.count))
            rangeStarts.append(Int32(ranges.count))
            ranges += rule.ports.ranges
            for clause in rule.object.clauses {
                let start = Int32(atoms.count)
                atoms += clause.required
                let required = Int32(atoms.count)
                atoms += clause.excluded
                clauses.append(Span(start: start, required: required, end: Int32(atoms.count)))
                for atom in clause.required { users[atom, default: 0] += 1 }
            }
        }
        clauseStarts.append(Int32(clauses.count))
        rangeStarts.append(Int32(ranges.count))

        var filed: [UInt32: [Entry]] = [:]
        for (index, rule) in rules.enumerated() {
            let single = rule.ports.areSingle && rule.ports.ranges.count <= RuleTable.maximumSinglePorts
            for (offset, clause) in rule.object.clauses.enumerated() {
                // The atom that fewest clauses ask for, so that the buckets stay short.
                let anchor = clause.required.min { users[$0, default: 0] < users[$1, default: 0] } ?? TagAtoms.anything
                let number = clauseStarts[index] + Int32(offset)
                let ports = single ? rule.ports.ranges.map(\.lowerBound) : [0]
                filed[anchor, default: []] += ports.map { Entry(rule: Int32(index), clause: number, port: $0) }
            }
        }
        var buckets = FlatTable<UInt32, Bucket>()
        var entries: [Entry] = []
        for (atom, unsorted) in filed {
            let start = Int32(entries.count)
            entries += unsorted.sorted { ($0.port, $0.rule) < ($1.port, $1.rule) }
            let ranged = start + Int32(unsorted.count { $0.port == 0 })
            buckets[atom] = Bucket(start: start, ranged: ranged, end: Int32(entries.count))
        }
        self.buckets = buckets
        self.entries = entries
        self.clauses = clauses
        self.atoms = atoms
        self.clauseStarts = clauseStarts
        self.rangeStarts = rangeStarts
        self.ranges = ranges
    }

    /// The index in `rules` of the first rule that matches; nil if none does.
    ///
    /// - Parameter peer: Atoms that the peer satisfies, sorted.
    func first(_ peer: [UInt32], _ ports: FlowPorts) -> Int? {
        first(peer, ports, before: Int32(rules.count)) { !contains(peer, $0) }
    }

    /// - Parameters:
    ///   - limit: Only rules before this one.
    ///   - lacks: Whether the peer is known not to satisfy an atom.
    @inline(__always)
    private func first(_ peer: [UInt32], _ ports: FlowPorts, before limit: Int32, _ lacks: (UInt32) -> Bool) -> Int? {
        guard !entries.isEmpty else { return nil }
        var best = limit
        for atom in peer {
            guard let bucket = buckets[atom] else { continue }
            for index in Int(bucket.start)..<Int(bucket.ranged) {
                let entry = entries[index]
                if entry.rule >= best { break }
                if covers(entry.rule, ports) && matches(entry.clause, peer, lacks) { best = entry.rule }
            }
            search(bucket, ports.target, peer, lacks, &best)
            if ports.dialled != ports.target { search(bucket, ports.dialled, peer, lacks, &best) }
        }
        return best < limit ? Int(best) : nil
    }

    /// Among a bucket's entries for one port, the first that matches, if it is before `best`.
    @inline(__always)
    private func search(_ bucket: Bucket, _ port: UInt16, _ peer: [UInt32], _ lacks: (UInt32) -> Bool, _ best: inout Int32) {
        var low = Int(bucket.ranged)
        var high = Int(bucket.end)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].port < port { low = middle + 1 } else { high = middle }
        }
        while low < Int(bucket.end) {
            let entry = entries[low]
            if entry.port != port || entry.rule >= best { return }
            if matches(entry.clause, peer, lacks) { best = entry.rule }
            low += 1
        }
    }

    @inline(__always)
    private func matches(_ clause: Int32, _ peer: [UInt32], _ lacks: (UInt32) -> Bool) -> Bool {
        let span = clauses[Int(clause)]
        for index in Int(span.start)..<Int(span.required) where !contains(peer, atoms[index]) { return false }
        for index in Int(span.required)..<Int(span.end) where !lacks(atoms[index]) { return false }
        return true
    }

    /// Whether a rule covers the target port or the dialled one.
    @inline(__always)
    private func covers(_ rule: Int32, _ ports: FlowPorts) -> Bool {
        for index in Int(rangeStarts[Int(rule)])..<Int(rangeStarts[Int(rule) + 1]) {
            let range = ranges[index]
            if range.contains(ports.target) || range.contains(ports.dialled) { return true }
        }
        return false
    }
}

extension RuleTable {
    /// The first Reject rule that matches every peer of which `presumption` holds.
    func certainReject(_ presumption: PresumedPeer, _ ports: FlowPorts) -> Int? {
        first(presumption.satisfied, ports, before: Int32(rejectCount)) { presumption.lacks($0) }
    }

    /// The first Allow rule that matches some peer of which `presumption` may hold.
    func possibleAllow(_ presumption: PresumedPeer, _ ports: FlowPorts) -> Int? {
        for rule in rejectCount..<rules.count where covers(Int32(rule), ports) {
            for clause in Int(clauseStarts[rule])..<Int(clauseStarts[rule + 1]) {
                let span = clauses[clause]
                let isRuledOut = (Int(span.start)..<Int(span.required)).contains { presumption.lacks(atoms[$0]) }
                    || (Int(span.required)..<Int(span.end)).contains { contains(presumption.satisfied, atoms[$0]) }
                if !isRuledOut { return rule }
            }
        }
        return nil
    }
}
