// The last good version of every document, file by file.

import PolicyDocuments
import SallyportProtocol

/// Turns what was read into what is in force. A value without I/O.
package struct PolicyLedger: Sendable {
    private typealias Key = Sallyport_Policy_V1_ObjectKey

    private struct File: Sendable {
        /// In the order of the file.
        var documents: [(key: Key, object: Sallyport_Policy_V1_Object)] = []
        var problems: [DocumentProblem] = []
    }

    private var files: [String: File] = [:]
    private var directoryProblem: DocumentProblem?
    private var isKnown = false
    /// Why changes may go unnoticed for a while; nil if they do not.
    package var watchProblem: String?

    package init() {}

    /// The directory was read: what is not in it is gone.
    package mutating func apply(_ reading: DirectoryReading) {
        isKnown = true
        directoryProblem = nil
        var next: [String: File] = [:]
        for file in reading.files {
            let last = files[file.path] ?? File()
            switch file.content {
            case .unchanged: next[file.path] = last
            case .bytes(let bytes): next[file.path] = PolicyLedger.merge(decodeDocuments(bytes, file: file.path), into: last)
            case .unreadable(let reason):
                let kept = last.documents.isEmpty ? "" : "; its last good documents stay in force"
                next[file.path] = File(documents: last.documents, problems: [DocumentProblem(file: file.path, message: reason + kept)])
            }
        }
        files = next
    }

    /// The directory could not be read: a mistake, where an empty one is a decision. What was in force still is.
    ///
    /// Were its processing units to go with it, their traffic would pass unprotected.
    package mutating func fail(directory: String, _ reason: String) {
        let kept = isKnown ? "; the documents it held stay in force" : ""
        directoryProblem = DocumentProblem(file: directory, message: reason + kept)
    }

    private static func merge(_ decoded: DecodedFile, into last: File) -> File {
        let known = Dictionary(last.documents.map { ($0.key, $0.object) }, uniquingKeysWith: { first, _ in first })
        var file = File()
        var present: Set<Key> = []
        for document in decoded.documents {
            var problems = document.problems
            if let key = document.key, !present.contains(key) {
                if let object = document.object {
                    file.documents.append((key, object))
                    present.insert(key)
                } else if let object = known[key] {
                    file.documents.append((key, object))
                    present.insert(key)
                    for index in problems.indices where problems[index].severity == .error {
                        problems[index].message += "; its last good version stays in force"
                    }
                }
            }
            file.problems += problems
        }
        if let breakage = decoded.breakage { file.problems.append(breakage) }
        if !decoded.namesEveryDocument {
            // Any of these may be the one that cannot be read.
            file.documents += last.documents.filter { !present.contains($0.key) }
        }
        return file
    }

    /// What is in force, and what is wrong. Of a document that two files define, the first file's counts.
    package var state: PolicyState {
        var state = PolicyState()
        state.isKnown = isKnown
        state.trouble = [directoryProblem?.message, watchProblem].compactMap(\.self).joined(separator: "; ")
        // What is wrong with the directory is listed too, for those who look at problems alone.
        var problems: [DocumentProblem] = directoryProblem.map { [$0] } ?? []
        for (path, file) in files.sorted(by: { $0.key < $1.key }) {
            problems += file.problems
            for (key, object) in file.documents {
                if let first = state.objects[key] {
                    problems.append(
                        DocumentProblem(
                            file: object.origin.isEmpty ? path : object.origin, field: "metadata.name",
                            message: "\(key.summary) is already defined in \(first.origin); remove one of the two", key: key))
                } else {
                    state.objects[key] = object
                }
            }
        }
        state.problems = problems.map(\.problem)
        return state
    }
}
