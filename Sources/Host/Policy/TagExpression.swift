// One element of a selector, as it is written.

/// `key=value`, `key=*`, `key=prefix*`, and the negations `key!=value`, `key!=*`.
struct TagExpression: Hashable, Sendable {
    enum Test: Hashable, Sendable {
        case equals(String)
        case hasPrefix(String)
        case present
    }

    let key: String
    let test: Test
    let negated: Bool

    /// Nil when there is no "=" or nothing before it.
    init?(_ text: some StringProtocol) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else { return nil }
        var key = text[..<equals]
        let value = text[text.index(after: equals)...]
        negated = key.last == "!"
        if negated { key.removeLast() }
        guard !key.isEmpty else { return nil }
        self.key = String(key)
        if value == "*" {
            test = .present
        } else if value.last == "*" {
            test = .hasPrefix(String(value.dropLast()))
        } else {
            test = .equals(String(value))
        }
    }
}
