// The rules of both directions that hold for a PU, and how they decide.

/// Made once for each set of rulesets, and shared by all PUs for which that set holds.
final class UnitRules: Sendable {
    let outgoing: DirectionRules
    let incoming: DirectionRules

    static let none = UnitRules([])

    /// - Parameter rulesets: The nearest namespace's first, then by name.
    init(_ rulesets: [CompiledRuleset]) {
        outgoing = DirectionRules(rulesets.flatMap(\.outgoing))
        incoming = DirectionRules(rulesets.flatMap(\.incoming))
    }
}

struct DirectionRules: Sendable {
    let enforced: RuleTable
    /// They change only what is reported.
    let observed: RuleTable

    init(_ rules: [CompiledRule]) {
        enforced = RuleTable(rules.filter { !$0.isObserved })
        observed = RuleTable(rules.filter(\.isObserved))
    }

    /// Reject rules, then Allow rules, then the default action; beside them what `observe` rules would have done.
    func decide(_ peer: [UInt32], _ ports: FlowPorts, default action: DefaultAction) -> Decision {
        decision(enforced.first(peer, ports), observed.first(peer, ports), action)
    }

    /// The same for a peer of whom only something is known: refused only if all such peers are.
    func presume(_ peer: PresumedPeer, _ ports: FlowPorts, default action: DefaultAction) -> Decision {
        decision(enforced.certainReject(peer, ports) ?? enforced.possibleAllow(peer, ports), nil, action)
    }

    private func decision(_ rule: Int?, _ observation: Int?, _ action: DefaultAction) -> Decision {
        let allowed = rule.map { $0 >= enforced.rejectCount } ?? action.allows
        return Decision(
            allowed: allowed, decidedBy: rule.map { enforced.references[$0] } ?? action.reference,
            observed: observation.map { observed.references[$0] },
            observedAllowed: observation.map { $0 >= observed.rejectCount } ?? allowed)
    }
}
