// A YAML node as JSON: what a drop-in's `config` is when it reaches a plugin.

extension YAMLNode {
    /// The node as JSON text (RFC 8259).
    /// - Parameters:
    ///   - path: Where the node is, for messages: "config".
    ///   - limit: Bytes; aliases can make a short text long.
    /// - Throws: `DocumentProblem` for what JSON cannot hold: a name twice, infinity, a value that cannot be used.
    package func json(path: String, file: String, limit: Int) throws(DocumentProblem) -> String {
        var writer = JSONWriter(file: file, limit: limit)
        try writer.write(self, path)
        return writer.text
    }
}

private struct JSONWriter {
    let file: String
    let limit: Int
    var text = ""

    mutating func write(_ node: YAMLNode, _ path: String) throws(DocumentProblem) {
        if text.utf8.count > limit { throw problem(node, path, "makes the settings longer than \(limit) bytes; shorten them") }
        switch node.content {
        case .unusable(let reason): throw problem(node, path, reason)
        case .scalar(let scalar, let isPlain):
            text += try isPlain ? plain(scalar, node, path) : quotedJSON(scalar)
        case .sequence(let items):
            text += "["
            for (index, item) in items.enumerated() {
                if index > 0 { text += "," }
                try write(item, "\(path)[\(index)]")
            }
            text += "]"
        case .mapping(let pairs): try write(pairs, path)
        }
    }

    private mutating func write(_ pairs: [(key: YAMLNode, value: YAMLNode)], _ path: String) throws(DocumentProblem) {
        var lines: [String: Int] = [:]
        text += "{"
        for (index, (key, value)) in pairs.enumerated() {
            guard case .scalar(let name, _) = key.content else {
                throw problem(key, path, key.mismatch("the name of a setting").message)
            }
            if let line = lines.updateValue(key.line, forKey: name) {
                throw problem(key, "\(path).\(name)", "is already given on line \(line); keep one of the two")
            }
            text += (index > 0 ? "," : "") + quotedJSON(name) + ":"
            try write(value, "\(path).\(name)")
        }
        text += "}"
    }

    private func plain(_ scalar: String, _ node: YAMLNode, _ path: String) throws(DocumentProblem) -> String {
        switch YAMLNode.meaning(ofPlain: scalar) {
        case .null: return "null"
        case .boolean: return scalar.lowercased()
        case .text: return quotedJSON(scalar)
        case .number: break
        }
        let digits = scalar.drop { $0 == "-" || $0 == "+" }
        if digits.count > 1, digits.first == "0", digits.utf8.allSatisfy(isDigit) {
            // YAML 1.1 read 010 as eight and 1.2 reads ten.
            throw problem(node, path, "must be without leading zeros, or in quotes if it is text")
        }
        let radix = scalar.hasPrefix("0x") ? 16 : scalar.hasPrefix("0o") ? 8 : 10
        if let number = Int(radix == 10 ? scalar[...] : scalar.dropFirst(2), radix: radix) { return "\(number)" }
        // The text itself may be no JSON: ".5", "+1.0", "5.".
        guard radix == 10, let number = Double(scalar), number.isFinite else {
            throw problem(node, path, "is no number that JSON can hold; in quotes it is text")
        }
        return "\(number)"
    }

    private func problem(_ node: YAMLNode, _ path: String, _ message: String) -> DocumentProblem {
        DocumentProblem(file: file, line: node.line, column: node.column, field: path, message: message)
    }
}

/// RFC 8259, section 7.
private func quotedJSON(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "\"") { result, scalar in
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\u{0}"..."\u{1f}":
            let hex = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: result.unicodeScalars.append(scalar)
        }
    } + "\""
}
