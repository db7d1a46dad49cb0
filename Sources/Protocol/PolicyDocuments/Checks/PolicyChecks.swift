// Checks of service dependency policies and network rulesets.

import SallyportProtocol

extension Checks {
    mutating func check(_ policy: ServiceDependencyPolicy) {
        selector(policy.subject, at: "spec.subject")
        selector(policy.object, at: "spec.object")
    }

    mutating func check(_ ruleset: NetworkRuleset) {
        selector(ruleset.subject, at: "spec.subject")
        if ruleset.incoming.isEmpty && ruleset.outgoing.isEmpty {
            warn("spec", "has no rules; give incoming or outgoing ones")
        }
        rules(ruleset.incoming, at: "spec.incoming")
        rules(ruleset.outgoing, at: "spec.outgoing")
    }

    private mutating func rules(_ rules: [NetworkRuleset.Rule], at field: String) {
        var named: [String: Int] = [:]
        for (index, rule) in rules.enumerated() {
            let place = "\(field)[\(index)]"
            switch rule.action {
            case .allow, .reject: break
            case .unspecified, .UNRECOGNIZED: fail("\(place).action", "must be Allow or Reject")
            }
            selector(rule.object, at: "\(place).object")
            ports(rule.ports, at: "\(place).ports")
            guard !rule.name.isEmpty else { continue }
            attempt("\(place).name") { () throws(SyntaxProblem) in try checkName(rule.name) }
            // The name is what a flow record says of the rule that decided.
            if let earlier = named.updateValue(index, forKey: rule.name) {
                fail("\(place).name", "\(quoted(rule.name)) is already the name of \(field)[\(earlier)]; choose another")
            }
        }
    }

    private mutating func ports(_ ports: [String], at field: String) {
        if ports.isEmpty { fail(field, "is empty; give at least one, such as tcp/80, or any") }
        let ranges = each(ports, at: field) { text throws(SyntaxProblem) in try PortRange(text) }
        if ranges.count > 1, ranges.contains(where: { $0.value == .any }) {
            warn(field, "any covers the other entries; remove one or the other")
        }
    }
}
