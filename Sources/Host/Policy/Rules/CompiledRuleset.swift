// A ruleset in force, over atoms.

import PolicyDocuments
import SallyportProtocol

/// One rule. Its reference is made here, once.
struct CompiledRule: Sendable {
    let reference: RuleReference
    let allows: Bool
    let isObserved: Bool
    let object: CompiledSelector
    let ports: TCPPorts
    /// As written, for explanations.
    let message: RulesetMessage.Rule
}

final class CompiledRuleset: Sendable {
    /// Never given twice, so that lists of them name a rule table.
    let serial: Int
    let namespace: Int32
    let name: String
    let message: RulesetMessage
    let subject: CompiledSelector
    let incoming: [CompiledRule]
    let outgoing: [CompiledRule]

    init(serial: Int, namespace: Int32, path: String, name: String, message: RulesetMessage, atoms: inout TagAtoms) {
        self.serial = serial
        self.namespace = namespace
        self.name = name
        self.message = message
        subject = CompiledSelector(message.subject, atoms: &atoms)
        incoming = compile(message.incoming, path: path, ruleset: name, atoms: &atoms)
        outgoing = compile(message.outgoing, path: path, ruleset: name, atoms: &atoms)
    }
}

private func compile(_ rules: [RulesetMessage.Rule], path: String, ruleset: String, atoms: inout TagAtoms) -> [CompiledRule] {
    rules.enumerated().map { index, rule in
        CompiledRule(
            reference: RuleReference(
                namespace: path, ruleset: ruleset, rule: rule.name.isEmpty ? "#\(index)" : rule.name, logs: !rule.silent),
            allows: rule.action == .allow, isObserved: rule.observe, object: CompiledSelector(rule.object, atoms: &atoms),
            ports: TCPPorts(rule.ports), message: rule)
    }
}

/// The TCP ports of a rule.
struct TCPPorts: Sendable {
    let ranges: [ClosedRange<UInt16>]

    /// "udp/…" covers no TCP port, and neither does what is no port.
    init(_ ports: [String]) {
        ranges = ports.compactMap { try? PortRange($0) }.filter { $0.transport != .udp }.map(\.ports)
    }

    /// Each range is one port.
    var areSingle: Bool { ranges.allSatisfy { $0.lowerBound == $0.upperBound } }
}
