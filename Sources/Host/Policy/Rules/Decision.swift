// What a flow is asked, and what policy answers.

/// Which side of a flow the decision is for.
public enum Direction: UInt8, Sendable {
    case outgoing, incoming
}

/// The ports of a TCP flow. A rule matches if it covers either (BEHAVIOUR, "Decisions").
public struct FlowPorts: Hashable, Sendable {
    /// The port the server's PU listens on.
    public var target: UInt16
    /// The port the client dialled.
    public var dialled: UInt16

    public init(target: UInt16, dialled: UInt16) {
        self.target = target
        self.dialled = dialled
    }
}

/// One rule of a ruleset, or the default action of a namespace. Made when the ruleset is compiled and compared
/// by identity, so that a decision allocates nothing.
public final class RuleReference: Sendable, Hashable, CustomStringConvertible {
    /// The namespace of the ruleset; for a default action, the namespace that set it.
    public let namespace: String
    /// Empty for a default action.
    public let ruleset: String
    /// The rule's name, or its index among the rules of its direction as "#0"; empty for a default action.
    public let rule: String
    public let isDefault: Bool
    /// Whether flows that this rule decides leave a record.
    public let logs: Bool

    package init(namespace: String, ruleset: String, rule: String, isDefault: Bool = false, logs: Bool = true) {
        self.namespace = namespace
        self.ruleset = ruleset
        self.rule = rule
        self.isDefault = isDefault
        self.logs = logs
    }

    public static func == (left: RuleReference, right: RuleReference) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    /// "NAMESPACE/RULESET#RULE", or "the default action of NAMESPACE".
    public var description: String {
        if isDefault { return "the default action of \(namespace)" }
        return "\(join(namespace, ruleset))\(rule.hasPrefix("#") ? "" : "#")\(rule)"
    }
}

/// The answer for one side of a flow.
public struct Decision: Sendable {
    public let allowed: Bool
    public let decidedBy: RuleReference
    /// The first `observe` rule that matched, if one did.
    public let observed: RuleReference?
    /// What `observed` would have done; `allowed` where none matched.
    public let observedAllowed: Bool
    /// False when the rule that decided asks for no record.
    public var logs: Bool { decidedBy.logs }

    package init(allowed: Bool, decidedBy: RuleReference, observed: RuleReference?, observedAllowed: Bool) {
        self.allowed = allowed
        self.decidedBy = decidedBy
        self.observed = observed
        self.observedAllowed = observedAllowed
    }
}
