// Why a piece of text is not what it should be.

/// One sentence that completes "FIELD: …".
public struct SyntaxProblem: Error, Sendable, Equatable {
    public let message: String

    init(_ message: String) { self.message = message }
}
