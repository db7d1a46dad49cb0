// What a namespace says about all that lives in it, with what it inherits filled in.

import SallyportProtocol

/// The action where no rule matches, and the namespace that says so.
struct DefaultAction: Sendable {
    let allows: Bool
    let reference: RuleReference
}

final class NamespaceSettings: Sendable {
    let outgoing: DefaultAction
    let incoming: DefaultAction
    /// PUs see all services of their namespace.
    let dependsByDefault: Bool
    /// Never `.inherit`.
    let onPolicyChange: OnPolicyChange
    /// Never `.inherit`.
    let failureMode: FailureMode
    /// `@org:key=value`, what every PU carries.
    let tags: [String]

    /// Of the root where no document says otherwise: nothing passes (BEHAVIOUR, "Objects").
    init() {
        let reference = RuleReference(namespace: "/", ruleset: "", rule: "", isDefault: true)
        outgoing = DefaultAction(allows: false, reference: reference)
        incoming = outgoing
        dependsByDefault = true
        onPolicyChange = .reset
        failureMode = .closed
        tags = []
    }

    /// Of the namespace `path`, whose document says `spec`, below one with `above`.
    init(_ spec: NamespaceMessage, path: String, above: NamespaceSettings) {
        outgoing = DefaultAction(spec.defaultAction.outgoing, path: path) ?? above.outgoing
        incoming = DefaultAction(spec.defaultAction.incoming, path: path) ?? above.incoming
        dependsByDefault =
            switch spec.serviceDependencyDefault {
            case .enabled: true
            case .disabled: false
            case .inherit, .UNRECOGNIZED: above.dependsByDefault
            }
        onPolicyChange = spec.onPolicyChange == .inherit ? above.onPolicyChange : spec.onPolicyChange
        failureMode = spec.failureMode == .inherit ? above.failureMode : spec.failureMode
        // The nearest namespace that gives a key decides its values.
        let keys = Set(spec.tags.map { "@org:\($0.prefix { $0 != "=" })=" })
        tags = above.tags.filter { tag in !keys.contains { tag.hasPrefix($0) } } + spec.tags.map { "@org:\($0)" }
    }
}

extension DefaultAction {
    /// Nil where the namespace inherits.
    fileprivate init?(_ action: Sallyport_Policy_V1_InheritableAction, path: String) {
        guard action == .allow || action == .reject else { return nil }
        self.init(allows: action == .allow, reference: RuleReference(namespace: path, ruleset: "", rule: "", isDefault: true))
    }
}
