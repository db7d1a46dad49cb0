// Namespace: what holds for the objects below a path.

import SallyportProtocol

extension Form where Value == Namespace {
    static var namespace: Form {
        .mapping(
            [
                Field("defaultAction", \.defaultAction, .defaultAction, .optional("Inherit; Reject at the root")),
                Field("tags", \.tags, .tags, .optional("[]")),
                Field(
                    "serviceDependencyDefault", \.serviceDependencyDefault, .word(["Enabled": .enabled, "Disabled": .disabled]),
                    .optional("as the namespace above; Enabled at the root")),
                Field(
                    "onPolicyChange", \.onPolicyChange, .word(["Reset": .reset, "Drain": .drain, "Keep": .keep]),
                    .optional("as the namespace above; Reset at the root")),
                Field(
                    "failureMode", \.failureMode, .word(["Closed": .closed, "Open": .open]),
                    .optional("as the namespace above; Closed at the root")),
            ], initial: Namespace())
    }
}

extension Form where Value == Namespace.DefaultAction {
    fileprivate static var defaultAction: Form {
        let action = Form<Sallyport_Policy_V1_InheritableAction>.word(["Allow": .allow, "Reject": .reject, "Inherit": .inherit])
        return .mapping(
            [
                Field("incoming", \.incoming, action, .optional("Inherit")),
                Field("outgoing", \.outgoing, action, .optional("Inherit")),
            ], initial: Namespace.DefaultAction())
    }
}
