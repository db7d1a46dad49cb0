// Tags, `key=value`, and the expressions that select by them.

/// Longer tags would not fit a certificate (256 tags in 16 KiB).
private let maximumTag = 512

/// A tag that somebody carries.
public struct Tag: Sendable, Hashable {
    public let key: String
    public let value: String

    /// Parses `key=value`, whoever set it: keys may begin with `$` or `@`.
    public init(_ text: String) throws(SyntaxProblem) {
        guard let equals = text.firstIndex(of: "=") else {
            throw SyntaxProblem("\(quoted(text)) is no tag; write key=value")
        }
        key = String(text[..<equals])
        value = String(text[text.index(after: equals)...])
        try checkKey(key, in: text)
        try checkValue(value, in: text)
        if key.hasSuffix("!") {
            throw SyntaxProblem("\(quoted(text)) is a tag that somebody carries, and its key must not end with \"!\"")
        }
        if value.hasSuffix("*") {
            throw SyntaxProblem("\(quoted(text)) must not end with \"*\": in selectors that stands for any text")
        }
    }

    /// Parses a tag that a user sets: `$` tags are derived and `@` tags are the system's.
    public init(ofUser text: String) throws(SyntaxProblem) {
        try self.init(text)
        if key.hasPrefix("$") { throw SyntaxProblem("\(quoted(text)) begins with $, as only derived tags do; choose another key") }
        if key.hasPrefix("@") {
            throw SyntaxProblem("\(quoted(text)) begins with @, as only tags set by the system do; choose another key")
        }
    }
}

/// An element of a selector.
public struct TagExpression: Sendable, Hashable {
    public enum Condition: Sendable, Hashable {
        /// `key=value`
        case equals(String)
        /// `key!=value`: also true where the key is absent.
        case notEquals(String)
        /// `key=*`
        case present
        /// `key!=*`
        case absent
        /// `key=prefix*`
        case hasPrefix(String)
    }

    public let key: String
    public let condition: Condition

    public init(_ text: String) throws(SyntaxProblem) {
        guard let equals = text.firstIndex(of: "=") else {
            throw SyntaxProblem(
                "\(quoted(text)) selects nothing; write key=value, key!=value, key=*, key!=* or key=prefix*")
        }
        let isNegated = text[..<equals].hasSuffix("!")
        key = String(isNegated ? text[..<equals].dropLast() : text[..<equals])
        let value = String(text[text.index(after: equals)...])
        try checkKey(key, in: text)
        if value == "*" {
            condition = isNegated ? .absent : .present
            return
        }
        try checkValue(value, in: text)
        guard value.hasSuffix("*") else {
            condition = isNegated ? .notEquals(value) : .equals(value)
            return
        }
        if isNegated { throw SyntaxProblem("\(quoted(text)) is no form of selector; != takes a whole value, or * alone") }
        condition = .hasPrefix(String(value.dropLast()))
    }
}

private func checkKey(_ key: String, in text: String) throws(SyntaxProblem) {
    if key.isEmpty || key == "$" || key == "@" { throw SyntaxProblem("\(quoted(text)) has no key; write key=value") }
    guard !key.contains(where: \.isWhitespace) else { throw SyntaxProblem("\(quoted(text)) has a space in its key; remove it") }
    guard !key.contains("*") else { throw SyntaxProblem("\(quoted(text)) has a \"*\" in its key; * stands only at the end of a value") }
    guard text.utf8.count <= maximumTag else { throw SyntaxProblem("a tag has \(text.utf8.count) bytes; use at most \(maximumTag)") }
}

private func checkValue(_ value: String, in text: String) throws(SyntaxProblem) {
    if value.isEmpty { throw SyntaxProblem("\(quoted(text)) has no value; write key=value") }
    guard value.first?.isWhitespace == false, value.last?.isWhitespace == false else {
        throw SyntaxProblem("\(quoted(text)) has a space around its value; remove it")
    }
    guard !value.dropLast().contains("*") else {
        throw SyntaxProblem("\(quoted(text)) has a \"*\" inside its value; * stands only at its end")
    }
    guard !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
        throw SyntaxProblem("\(quoted(text)) has a control character; remove it")
    }
}
