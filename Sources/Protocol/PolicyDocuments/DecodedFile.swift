// What came out of one file.

public import SallyportProtocol

/// One document of a file: an object, or what is wrong with it.
public struct DecodedDocument: Sendable {
    /// Which document it is; nil if its kind, name or namespace cannot be read.
    public let key: Sallyport_Policy_V1_ObjectKey?
    /// Where it begins, from 1.
    public let line: Int
    /// nil if any of the problems is an error.
    public let object: Sallyport_Policy_V1_Object?
    /// In the order of the text. Warnings alone leave the object in force.
    public let problems: [DocumentProblem]
}

/// The documents of one file, each judged alone.
public struct DecodedFile: Sendable {
    /// In the order of the text.
    public internal(set) var documents: [DecodedDocument] = []
    /// Where the text stopped being readable; nil if it was read to its end.
    public internal(set) var breakage: DocumentProblem?

    public var objects: [Sallyport_Policy_V1_Object] { documents.compactMap(\.object) }

    public var problems: [DocumentProblem] { documents.flatMap(\.problems) + (breakage.map { [$0] } ?? []) }

    /// Whether a document that is not among these is surely not in the file.
    ///
    /// False after a break, and where a document's key cannot be read: it may be any.
    public var namesEveryDocument: Bool { breakage == nil && documents.allSatisfy { $0.key != nil } }
}
