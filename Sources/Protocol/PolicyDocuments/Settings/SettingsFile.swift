// Files that hold one mapping of settings: drop-ins, the daemon's configuration. As strict as documents, with
// the same messages.

/// Reads a file of one YAML or JSON mapping.
/// - Returns: The value, or every problem found, each with its place.
package func decodeSettings<Value>(_ bytes: [UInt8], file: String, as form: Form<Value>) -> Result<Value, SettingsProblems> {
    var reading = FieldReading()
    do throws(DocumentProblem) {
        let root = try bytes.withUnsafeBufferPointer { text throws(DocumentProblem) in try singleDocument(text, file: file) }
        if let value = form.read(root, "", &reading), reading.found.isEmpty { return .success(value) }
    } catch {
        return .failure(SettingsProblems(problems: [error]))
    }
    return .failure(
        SettingsProblems(
            problems: reading.found.map {
                DocumentProblem(file: file, line: $0.line, column: $0.column, field: $0.field, message: $0.message)
            }))
}

/// What is wrong in a file of settings; at least one problem.
package struct SettingsProblems: Error, Sendable, CustomStringConvertible {
    package let problems: [DocumentProblem]

    package init(problems: [DocumentProblem]) { self.problems = problems }

    package var description: String { problems.map { "\($0)" }.joined(separator: "; ") }
}

/// An empty file is an empty mapping.
private func singleDocument(_ text: UnsafeBufferPointer<UInt8>, file: String) throws(DocumentProblem) -> YAMLNode {
    if let unreadable = UnreadableText(in: text) {
        let place = Place(offset: unreadable.offset, in: text)
        throw DocumentProblem(file: file, line: place.line, column: place.column, message: unreadable.message)
    }
    let empty = YAMLNode(.mapping([]), line: 1, column: 1)
    if text.isEmpty { return empty }
    do throws(YAMLBreak) {
        var composer = try NodeComposer(text)
        guard let root = try composer.nextDocument() else { return empty }
        guard let second = try composer.nextDocument() else { return root.isNull ? empty : root }
        throw YAMLBreak(line: second.line, column: second.column, message: "a second document begins here; this file holds one")
    } catch {
        throw DocumentProblem(file: file, line: error.line, column: error.column, message: error.message)
    }
}

extension Form where Value == YAMLNode {
    /// Whatever is there, for somebody else to read.
    package static var anything: Form { Form("anything", simple: { node throws(WrongType) in node }) }
}
