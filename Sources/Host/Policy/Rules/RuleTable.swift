// The rules of one direction that hold for a PU, arranged so that a decision looks only at rules about tags that the
// peer has, however many others there are. Shared by all PUs for which the same rulesets hold.

/// Rules in the order in which they decide; the first that matches wins.
final class RuleTable: Sendable {
    /// Reject rules first, then Allow rules; within each, as given.
    let rules: [CompiledRule]
    /// Theirs, apart: copying a whole rule counts six references.
    let references: [RuleReference]
    /// How many of `rules` are Reject rules.
    let rejectCount: Int

    private let layout: RuleLayout

    /// - Parameter rules: In order of precedence: nearest namespace, ruleset's name, order in the ruleset.
    init(_ given: [CompiledRule]) {
        let rejects = given.filter { !$0.allows }
        rules = rejects + given.filter(\.allows)
        rejectCount = rejects.count
        references = rules.map(\.reference)
        layout = RuleLayout(rules)
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
        guard !layout.entries.isEmpty else { return nil }
        var best = limit
        for atom in peer {
            guard let bucket = layout.buckets[atom] else { continue }
            for index in Int(bucket.firstGroup)..<Int(bucket.endGroup) {
                let group = layout.groups[index]
                guard layout.entries[Int(group.start)].rule < best, covers(group.ports, ports) else { continue }
                for index in Int(group.start)..<Int(group.end) {
                    let entry = layout.entries[index]
                    if entry.rule >= best { break }
                    if matches(entry.clause, peer, lacks) {
                        best = entry.rule
                        break
                    }
                }
            }
            search(bucket, ports.target, peer, lacks, &best)
            if ports.dialled != ports.target { search(bucket, ports.dialled, peer, lacks, &best) }
        }
        return best < limit ? Int(best) : nil
    }

    /// Among a bucket's entries for one port, the first that matches, if it is before `best`.
    @inline(__always)
    private func search(_ bucket: RuleLayout.Bucket, _ port: UInt16, _ peer: [UInt32], _ lacks: (UInt32) -> Bool, _ best: inout Int32) {
        var low = Int(bucket.firstSingle)
        var high = Int(bucket.endSingle)
        while low < high {
            let middle = (low + high) / 2
            if layout.entries[middle].port < port { low = middle + 1 } else { high = middle }
        }
        while low < Int(bucket.endSingle) {
            let entry = layout.entries[low]
            if entry.port != port || entry.rule >= best { return }
            if matches(entry.clause, peer, lacks) {
                best = entry.rule
                return
            }
            low += 1
        }
    }

    @inline(__always)
    private func matches(_ clause: Int32, _ peer: [UInt32], _ lacks: (UInt32) -> Bool) -> Bool {
        let span = layout.clauses[Int(clause)]
        for index in Int(span.start)..<Int(span.required) where !contains(peer, layout.atoms[index]) { return false }
        for index in Int(span.required)..<Int(span.end) where !lacks(layout.atoms[index]) { return false }
        return true
    }

    /// Whether a list of ranges covers the target port or the dialled one.
    @inline(__always)
    private func covers(_ number: Int32, _ flow: FlowPorts) -> Bool {
        for range in layout.ports[Int(number)] where range.contains(flow.target) || range.contains(flow.dialled) { return true }
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
        for rule in rejectCount..<rules.count where covers(layout.portsOfRule[rule], ports) {
            for clause in Int(layout.clauseStarts[rule])..<Int(layout.clauseStarts[rule + 1]) {
                let span = layout.clauses[clause]
                let isRuledOut = (Int(span.start)..<Int(span.required)).contains { presumption.lacks(layout.atoms[$0]) }
                    || (Int(span.required)..<Int(span.end)).contains { contains(presumption.satisfied, layout.atoms[$0]) }
                if !isRuledOut { return rule }
            }
        }
        return nil
    }
}
