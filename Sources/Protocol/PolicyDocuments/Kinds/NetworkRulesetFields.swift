// NetworkRuleset: what a set of processing units may receive and may open.

import SallyportProtocol

extension Form where Value == NetworkRuleset {
    static var networkRuleset: Form {
        .mapping(
            [
                Field("subject", \.subject, .selector, .required),
                Field("incoming", \.incoming, .list(of: .rule, "rules"), .optional("[]")),
                Field("outgoing", \.outgoing, .list(of: .rule, "rules"), .optional("[]")),
                Field("propagate", \.propagate, .flag, .optional("false")),
                Field("fallback", \.fallback, .flag, .optional("false")),
                Field("disabled", \.disabled, .flag, .optional("false")),
            ], initial: NetworkRuleset())
    }
}

extension Form where Value == NetworkRuleset.Rule {
    fileprivate static var rule: Form {
        .mapping(
            [
                Field("action", \.action, .word(["Allow": .allow, "Reject": .reject]), .required),
                Field("object", \.object, .selector, .required),
                Field(
                    "ports", \.ports, .list(of: .text("a port, such as tcp/80"), "ports, such as tcp/80, tcp/8000:8080, udp/53 or any"),
                    .required),
                Field("logs", \.logs, .flag, .optional("true")),
                Field("observe", \.observe, .flag, .optional("false")),
                Field("name", \.name, .text("a name")),
            ], initial: NetworkRuleset.Rule())
    }
}

extension NetworkRuleset.Rule {
    /// Documents say what is logged; the message says what is not, so that its default is zero.
    fileprivate var logs: Bool {
        get { !silent }
        set { silent = !newValue }
    }
}
