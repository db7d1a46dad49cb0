// The source tree that the tests were built from.

import Foundation
import Support

let repository = URL(filePath: PluginWorkshop.repository)

/// The files below a folder of the repository whose names end so, in order.
func files(below folder: String, ending: String) throws -> [URL] {
    let root = repository.appending(path: folder)
    let names = try FileManager.default.subpathsOfDirectory(atPath: root.path).filter { $0.hasSuffix(ending) }
    return names.sorted().map { root.appending(path: $0) }
}

/// The part of a path below the repository.
func shown(_ file: URL) -> String { String(file.path.dropFirst(repository.path.count + 1)) }

func text(of file: URL) throws -> String { try String(contentsOf: file, encoding: .utf8) }
