// sallyport validate: are these documents right, before the daemon sees them.

import ArgumentParser
import FlowFormat
import Foundation
import PolicyDocuments
import SallyportProtocol

struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check policy documents, without a daemon.",
        discussion: """
            Prints FILE:LINE:COLUMN: FIELD: what is wrong. Of a folder, all *.yaml, *.yml and *.json in it are checked, \
            as the daemon reads them. Exit status 1 if there is an error.
            """)

    @OptionGroup var format: OutputOptions

    @Argument(help: ArgumentHelp("Files and folders; - for standard input.", valueName: "path"), completion: .file())
    var paths: [String]

    func run() async throws {
        try await reportingFailures {
            var validation = Validation()
            for path in paths { try validation.add(path) }
            let errors = validation.problems.count { $0.severity == .error }
            switch format.output {
            case .json: try write(JSONText.document { $0.array(validation.problems) { json, problem in json.problem(problem.problem) } })
            case .text:
                for problem in validation.problems { try write(printable(problem.description) + "\n") }
                if errors == 0 { try write("\(validation.documents) documents in \(validation.files) files are valid\n") }
            }
            if errors > 0 { throw ExitStatus.no }
        }
    }
}

/// What was found in some files.
struct Validation {
    private(set) var files = 0
    private(set) var documents = 0
    private(set) var problems: [DocumentProblem] = []
    private var origins: [Sallyport_Policy_V1_ObjectKey: String] = [:]

    /// - Throws: `Failure` if something cannot be read.
    mutating func add(_ path: String) throws {
        if path == "-" { return add(FileHandle.standardInput.readDataToEndOfFile(), name: "standard input") }
        var isFolder: ObjCBool = false
        do {
            if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
                for name in try FileManager.default.contentsOfDirectory(atPath: path).sorted() where isDocument(name) {
                    let file = path.last == "/" ? path + name : "\(path)/\(name)"
                    add(try Data(contentsOf: URL(fileURLWithPath: file)), name: file)
                }
            } else {
                add(try Data(contentsOf: URL(fileURLWithPath: path)), name: path)
            }
        } catch {
            throw Failure("cannot read \(path): \((error as NSError).localizedDescription)")
        }
    }

    /// As the policy-file plugin chooses.
    private func isDocument(_ name: String) -> Bool {
        name.first != "." && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    private mutating func add(_ data: Data, name: String) {
        files += 1
        let decoded = decodeDocuments(Array(data), file: name)
        documents += decoded.documents.count
        problems += decoded.problems
        for document in decoded.documents {
            guard let key = document.key else { continue }
            let origin = "\(name):\(document.line)"
            let summary = "\(key.kind.word) \(path(key.namespace, key.name))"
            if let first = origins[key], !first.hasPrefix("\(name):") {
                problems.append(
                    DocumentProblem(
                        file: name, line: document.line, column: 1, field: "metadata.name",
                        message: "\(summary) is already defined in \(first); remove one of the two", key: key))
            }
            origins[key] = origins[key] ?? origin
        }
    }
}
