// The rules of one direction that hold for a PU, in the order in which they decide.

struct RuleTable: Sendable {
    struct Rule: Sendable {
        let reference: RuleReference
        let allows: Bool
        let object: CompiledSelector
        let ports: PortRanges
    }

    /// Reject before Allow; then nearest namespace, ruleset's name, order in the ruleset.
    var enforced: [Rule] = []
    /// In the same order, but only reported.
    var observed: [Rule] = []

    func decide(_ peer: PeerTags, _ ports: FlowPorts, default fallback: RuleReference, allows: Bool) -> Decision {
        let rule = enforced.first { $0.ports.covers(ports) && $0.object.matches(peer.atoms) }
        let observation = observed.first { $0.ports.covers(ports) && $0.object.matches(peer.atoms) }
        let allowed = rule?.allows ?? allows
        return Decision(
            allowed: allowed, decidedBy: rule?.reference ?? fallback,
            observed: observation?.reference, observedAllowed: observation?.allows ?? allowed)
    }
}
