// Reading a node as one of the few types that documents use; strict, in the terms of YAML's core schema.

/// A node that is not of the type asked for: says what it is and what it should be.
public struct WrongType: Error, Sendable {
    public let message: String

    public init(message: String) { self.message = message }
}

extension YAMLNode {
    /// What unquoted text stands for (YAML 1.2.2, section 10.3.2, "core schema").
    enum PlainMeaning { case null, boolean, number, text }

    static func meaning(ofPlain text: String) -> PlainMeaning {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "false", "False", "FALSE": return .boolean
        default: break
        }
        return isNumber(text) ? .number : .text
    }

    private static func isNumber(_ text: String) -> Bool {
        var rest = Substring(text)
        if text.hasPrefix("0x") { return text.count > 2 && text.dropFirst(2).allSatisfy { $0.isASCII && $0.isHexDigit } }
        if text.hasPrefix("0o") { return text.count > 2 && text.dropFirst(2).allSatisfy { ("0"..."7").contains($0) } }
        if let sign = rest.first, sign == "+" || sign == "-" { rest.removeFirst() }
        if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(rest) { return true }
        let isDigit = { (character: Character) in ("0"..."9").contains(character) }
        let whole = rest.prefix(while: isDigit)
        rest = rest.dropFirst(whole.count)
        var fraction = Substring()
        if rest.first == "." {
            fraction = rest.dropFirst().prefix(while: isDigit)
            rest = rest.dropFirst(1 + fraction.count)
        }
        if whole.isEmpty && fraction.isEmpty { return false }
        guard let mark = rest.first else { return true }
        guard mark == "e" || mark == "E" else { return false }
        rest.removeFirst()
        if let sign = rest.first, sign == "+" || sign == "-" { rest.removeFirst() }
        return !rest.isEmpty && rest.allSatisfy(isDigit)
    }

    /// True for `null`, `~` and a field with nothing after its colon.
    public var isNull: Bool {
        if case .scalar(let text, isPlain: true) = content { YAMLNode.meaning(ofPlain: text) == .null } else { false }
    }

    /// Text that no reader of YAML or JSON takes for a number, a boolean or null.
    public func text(_ expected: String = "text") throws(WrongType) -> String {
        guard case .scalar(let text, let isPlain) = content else { throw mismatch(expected) }
        if isPlain {
            switch YAMLNode.meaning(ofPlain: text) {
            case .text: break
            case .null: throw mismatch(expected)
            case .boolean, .number:
                throw WrongType(message: "must be \(expected), and \(text) without quotes is none; in quotes it is text")
            }
        }
        return text
    }

    public func flag() throws(WrongType) -> Bool {
        guard case .scalar(let text, let isPlain) = content else { throw mismatch("true or false") }
        switch text {
        case "true", "True", "TRUE": if isPlain { return true }
        case "false", "False", "FALSE": if isPlain { return false }
        default: throw mismatch("true or false")
        }
        throw WrongType(message: "must be true or false, without quotes")
    }

    /// A whole number in decimal.
    public func integer(_ expected: String, in range: ClosedRange<Int>) throws(WrongType) -> Int {
        guard case .scalar(let text, let isPlain) = content else { throw mismatch(expected) }
        let digits = text.first == "-" ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy(isDigit) else { throw mismatch(expected) }
        guard isPlain else { throw WrongType(message: "must be \(expected), without quotes") }
        // YAML 1.1 read 010 as eight and 1.2 reads ten.
        if digits.count > 1 && digits.first == "0" { throw WrongType(message: "must be \(expected), without leading zeros") }
        guard let number = Int(text), range.contains(number) else { throw mismatch(expected) }
        return number
    }

    /// "must be EXPECTED, not WHAT IT IS".
    public func mismatch(_ expected: String) -> WrongType {
        switch content {
        case .unusable(let reason): WrongType(message: reason)
        case .sequence: WrongType(message: "must be \(expected), not a list")
        case .mapping: WrongType(message: "must be \(expected), not a mapping")
        case .scalar where isNull: WrongType(message: "must be \(expected), and has no value; write one or leave the field out")
        case .scalar(let text, _): WrongType(message: "must be \(expected), not \(quoted(text))")
        }
    }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

/// `text` for a message: cut at 60 characters, control characters escaped.
func shown(_ text: some StringProtocol) -> String {
    let start = text.unicodeScalars.prefix(60)
    let clean = start.reduce(into: "") { result, scalar in
        result += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return start.endIndex == text.unicodeScalars.endIndex ? clean : clean + "…"
}

/// The same in quotes.
func quoted(_ text: some StringProtocol) -> String { "\"\(shown(text))\"" }
