// The schema of documents: each field once, with its name, form, whether it must be there, and its default.
// Decoding, error messages and the check of docs/policy.md all read these tables.

/// How a value is written, and how it is read.
public struct Form<Value>: Sendable {
    /// "a port from 1 to 65535"
    public let name: String
    /// The fields of a mapping, or of a list's mappings.
    public let fields: [FieldDescription]
    /// Reads the value at a path; nil if it cannot, with the problem noted.
    let read: @Sendable (YAMLNode, _ path: String, inout FieldReading) -> Value?

    init(
        _ name: String, fields: [FieldDescription] = [],
        read: @escaping @Sendable (YAMLNode, String, inout FieldReading) -> Value?
    ) {
        self.name = name
        self.fields = fields
        self.read = read
    }

    /// A form whose only failure is a value of the wrong type.
    public init(_ name: String, simple: @escaping @Sendable (YAMLNode) throws(WrongType) -> Value) {
        self.init(name) { node, path, reading in
            do throws(WrongType) {
                return try simple(node)
            } catch {
                reading.note(node, path, error.message)
                return nil
            }
        }
    }
}

/// Whether a field must be there, and what holds if it is not.
public enum Presence: Sendable, Equatable {
    case required
    case optional(_ default: String)
}

/// What the documentation says of a field.
public struct FieldDescription: Sendable, Equatable {
    public let name: String
    public let form: String
    public let presence: Presence
    public let fields: [FieldDescription]
}

/// One field of a mapping that becomes a `Message`.
public struct Field<Message>: Sendable {
    public let description: FieldDescription
    let read: @Sendable (YAMLNode, _ path: String, inout Message, inout FieldReading) -> Void

    public init<Value>(
        _ name: String, _ property: any WritableKeyPath<Message, Value> & Sendable, _ form: Form<Value>,
        _ presence: Presence = .optional("none")
    ) {
        description = FieldDescription(name: name, form: form.name, presence: presence, fields: form.fields)
        read = { node, path, message, reading in
            if let value = form.read(node, path, &reading) { message[keyPath: property] = value }
        }
    }
}

/// The problems found while a document is read, with their places.
public struct FieldReading: Sendable {
    struct Found: Sendable {
        let line: Int
        let column: Int
        let field: String
        let message: String
    }

    private(set) var found: [Found] = []

    public init() {}

    mutating func note(_ node: YAMLNode, _ field: String, _ message: String) {
        // One more than is shown, so that it shows that there are more.
        guard found.count <= maximumProblemsOfDocument else { return }
        found.append(Found(line: node.line, column: node.column, field: field, message: message))
    }
}
