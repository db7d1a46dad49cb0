// The forms that values take in documents.

extension Form where Value == String {
    public static var text: Form { text("text") }

    /// Text that the message calls by a better name: "a domain name".
    public static func text(_ name: String) -> Form {
        Form(name, simple: { node throws(WrongType) in try node.text(name) })
    }
}

extension Form where Value == Bool {
    public static var flag: Form { Form("true or false", simple: { node throws(WrongType) in try node.flag() }) }
}

extension Form where Value == UInt32 {
    public static var port: Form {
        let name = "a port from 1 to 65535"
        return Form(name, simple: { node throws(WrongType) in UInt32(try node.integer(name, in: 1...65535)) })
    }
}

extension Form {
    /// The same, for a property that may be without a value.
    public var orNone: Form<Value?> {
        Form<Value?>(name, fields: fields) { node, path, reading in read(node, path, &reading).map { .some($0) } }
    }

    /// A list of values of one form.
    public static func list<Element>(of element: Form<Element>, _ name: String) -> Form where Value == [Element] {
        Form("a list of \(name)", fields: element.fields) { node, path, reading in
            guard case .sequence(let items) = node.content else {
                reading.note(node, path, node.mismatch("a list of \(name)").message)
                return nil
            }
            return items.enumerated().compactMap { element.read($1, "\(path)[\($0)]", &reading) }
        }
    }

    /// One of a few words.
    public static func word(_ words: KeyValuePairs<String, Value>) -> Form where Value: Sendable {
        let choices = words.map { (name: $0.key, value: $0.value) }
        let names = choices.map(\.name)
        let expected = (names.dropLast(2) + [names.suffix(2).joined(separator: " or ")]).joined(separator: ", ")
        return Form(
            expected,
            simple: { node throws(WrongType) in
                let word = try node.text(expected)
                if let choice = choices.first(where: { $0.name == word }) { return choice.value }
                guard let near = nearestName(to: word, among: names) else { throw node.mismatch(expected) }
                throw WrongType(message: "must be \(expected), not \(quoted(word)); did you mean \(near)?")
            })
    }
}
