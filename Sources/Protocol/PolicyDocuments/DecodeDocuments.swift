// The way from a file's bytes to objects: text, YAML, documents, fields, checks.

import SallyportProtocol

/// Decodes the documents of a file: YAML or JSON, several per file.
///
/// Documents are separated by lines `---`, or are the elements of one list. A bad document gives its problems and
/// leaves the others alone. Where the text itself is broken, the documents before that place count.
/// - Parameters:
///   - bytes: The whole file, UTF-8.
///   - file: Its name for messages.
public func decodeDocuments(_ bytes: [UInt8], file: String) -> DecodedFile {
    var decoding = FileDecoding(file: file)
    bytes.withUnsafeBufferPointer { decoding.read($0) }
    return decoding.result
}

/// Decodes the documents of a text; see `decodeDocuments(_:file:)` for bytes.
public func decodeDocuments(_ text: String, file: String) -> DecodedFile {
    decodeDocuments(Array(text.utf8), file: file)
}

private struct FileDecoding {
    /// An object travels in one message, and those have at most 4 MiB (docs/plugin-abi.md, section 6).
    static let maximumObject = 3 << 20
    /// Of a lighter document the object cannot be that large: a node weighs 1 for each 64 bytes.
    static let harmlessWeight = 10_000

    let file: String
    var result = DecodedFile()
    /// Where each document of the file was first met.
    var lines: [ObjectKey: Int] = [:]

    init(file: String) { self.file = file }

    mutating func read(_ text: UnsafeBufferPointer<UInt8>) {
        guard let unreadable = UnreadableText(in: text) else {
            readYAML(text)
            return
        }
        // What is whole before that place counts; the document that it lies in does not.
        readYAML(UnsafeBufferPointer(rebasing: text[..<unreadable.offset]), isCut: true)
        let place = Place(offset: unreadable.offset, in: text)
        result.breakage = DocumentProblem(file: file, line: place.line, column: place.column, message: unreadable.message)
    }

    private mutating func readYAML(_ text: UnsafeBufferPointer<UInt8>, isCut: Bool = false) {
        if text.isEmpty { return }
        // A text that was cut may have cut the document before its end.
        var last: YAMLNode?
        do throws(YAMLBreak) {
            var composer = try NodeComposer(text)
            while let root = try composer.nextDocument() {
                if let last { add(root: last) }
                last = root
            }
            if let last, !isCut { add(root: last) }
        } catch {
            if let last { add(root: last) }
            result.breakage = DocumentProblem(file: file, line: error.line, column: error.column, message: error.message)
        }
    }

    private mutating func add(root: YAMLNode) {
        if root.isNull { return }  // nothing between two lines ---, or only comments
        if case .sequence(let items) = root.content {
            for item in items { add(item) }
        } else {
            add(root)
        }
    }

    private mutating func add(_ root: YAMLNode) {
        var reading = FieldReading()
        let envelope = Envelope.form.read(root, "", &reading) ?? Envelope()
        var object = PolicyObject.with {
            $0.key = envelope.key
            $0.key.kind = envelope.kind?.kind ?? .unspecified
            $0.origin = "\(file):\(root.line)"
        }
        if let kind = envelope.kind {
            kind.read(envelope.spec ?? YAMLNode(.mapping([]), line: root.line, column: root.column), &object, &reading)
        }
        let key = envelope.kind == nil || !isWhole(object.key) ? nil : object.key
        if let key {
            if let first = lines[key] {
                reading.note(root, "metadata.name", "\(key.summary) is already defined on line \(first); remove one of the two")
            } else {
                lines[key] = root.line
            }
        }
        if root.weight > FileDecoding.harmlessWeight, let bytes: [UInt8] = try? object.serializedBytes(),
            bytes.count > FileDecoding.maximumObject
        {
            reading.note(root, "spec", "is larger than \(FileDecoding.maximumObject >> 20) MiB; split it into several documents")
        }
        let problems = problems(reading, object, root, key)
        let isBad = problems.contains { $0.severity == .error }
        result.documents.append(
            DecodedDocument(key: key, line: root.line, object: isBad ? nil : object, problems: problems))
    }

    private func isWhole(_ key: ObjectKey) -> Bool {
        var checks = Checks()
        checks.check(key)
        return checks.problems.isEmpty
    }

    /// What reading found, and what checking finds in fields that were read.
    private func problems(
        _ reading: FieldReading, _ object: PolicyObject, _ root: YAMLNode, _ key: ObjectKey?
    ) -> [DocumentProblem] {
        var problems = reading.found.map {
            DocumentProblem(file: file, line: $0.line, column: $0.column, field: $0.field, message: $0.message, key: key)
        }
        // A field that could not be read is empty in the object, and what follows from that is no news.
        let unread = reading.found.map(\.field)
        let checked = key == nil && object.spec == nil ? [] : validate(object)
        for found in checked where !unread.contains(where: { isSameOrInside($0, found.field) || isSameOrInside(found.field, $0) }) {
            let node = root.nearest(to: found.field)
            problems.append(
                DocumentProblem(
                    file: file, line: node.line, column: node.column, field: found.field, message: found.message,
                    severity: found.severity, key: key))
        }
        problems.sort { ($0.line, $0.column) < ($1.line, $1.column) }
        guard problems.count > maximumProblemsOfDocument else { return problems }
        let errors = problems.filter { $0.severity == .error }
        return (errors.isEmpty ? problems : errors).prefix(maximumProblemsOfDocument) + [
            DocumentProblem(
                file: file, line: root.line, column: root.column, message: "this document has more problems; mend the first ones", key: key)
        ]
    }

    /// Whether `inner` is `outer`, or lies below it.
    private func isSameOrInside(_ inner: String, _ outer: String) -> Bool {
        guard inner.hasPrefix(outer) else { return outer.isEmpty }
        let next = inner.dropFirst(outer.count).first
        return outer.isEmpty || next == nil || next == "." || next == "["
    }
}
