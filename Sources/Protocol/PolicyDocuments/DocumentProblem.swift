// What is wrong with a document, and where.

public import SallyportProtocol

/// One thing wrong in a file or resource: the place, what is wrong and what would be right.
public struct DocumentProblem: Error, Sendable, Equatable {
    /// A file's path, or a resource name.
    public var file: String
    /// From 1; 0 when the place is not known.
    public var line: Int
    /// In characters, from 1; 0 when the place is not known.
    public var column: Int
    /// "spec.incoming[1].ports[0]"; empty when it is about no field.
    public var field: String
    /// One sentence, lower case.
    public var message: String
    public var severity: Sallyport_Policy_V1_Problem.Severity
    /// The document it is about; nil if that cannot be told.
    public var key: Sallyport_Policy_V1_ObjectKey?

    public init(
        file: String, line: Int = 0, column: Int = 0, field: String = "", message: String,
        severity: Sallyport_Policy_V1_Problem.Severity = .error, key: Sallyport_Policy_V1_ObjectKey? = nil
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.field = field
        self.message = message
        self.severity = severity
        self.key = key
    }

    /// "web.yaml:12:7", or only the file where no line is known.
    public var origin: String { line == 0 ? file : "\(file):\(line):\(column)" }

    /// The form in which plugins and the control API carry it.
    public var problem: Sallyport_Policy_V1_Problem {
        .with {
            if let key { $0.key = key }
            $0.origin = origin
            $0.field = field
            $0.message = message
            $0.severity = severity
        }
    }
}

extension DocumentProblem: CustomStringConvertible {
    /// "FILE:LINE:COLUMN: FIELD: MESSAGE", as compilers write it, so that editors can jump there.
    public var description: String {
        let kind = severity == .warning ? "warning: " : ""
        return field.isEmpty ? "\(origin): \(kind)\(message)" : "\(origin): \(kind)\(field): \(message)"
    }
}

/// A document with more problems than that is of another kind altogether, and a list of them all might fill the memory.
let maximumProblemsOfDocument = 25

/// One thing wrong with an object, wherever it came from: what `validate` finds.
public struct FieldProblem: Error, Sendable, Equatable {
    /// As it is written in a document: "spec.loadBalancer.port".
    public var field: String
    public var message: String
    public var severity: Sallyport_Policy_V1_Problem.Severity

    public init(field: String, message: String, severity: Sallyport_Policy_V1_Problem.Severity = .error) {
        self.field = field
        self.message = message
        self.severity = severity
    }
}
