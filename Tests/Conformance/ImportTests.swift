// The directions in which modules import each other (docs/building.md).

import Foundation
import Testing

struct ImportTests {
    /// The modules of Sources/Host from the bottom up: each imports others of its step and of those below.
    private static let steps: [Set<String>] = [
        ["COpenSSL", "CNetfilter", "CBPF", "CTimex", "TLSEngine", "ProxyProtocol", "Prometheus"],
        ["TLSBoringSSL", "TLSOpenSSL", "Policy", "Identity", "PluginCarriers"],
        ["DataPath", "Interception", "PluginHost", "FlowLog", "ControlAPI"],
        ["Daemon"],
        ["sallyportd", "sallyport-plugin-runner"],
    ]

    /// The modules that a folder of Sources has, one a folder.
    private func modules(in folder: String) throws -> Set<String> {
        let path = repository.appending(path: "Sources/\(folder)").path
        return Set(try FileManager.default.contentsOfDirectory(atPath: path).filter {
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(path)/\($0)", isDirectory: &isFolder) && isFolder.boolValue
        })
    }

    private struct Import: CustomStringConvertible {
        let file: URL
        let module: String

        var description: String { "\(shown(file)) imports \(module)" }
    }

    /// Every import of the Swift files below Sources/FOLDER, whatever stands before it.
    private func imports(in folder: String) throws -> [Import] {
        let line = /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
        return try files(below: "Sources/\(folder)", ending: ".swift").flatMap { file in
            try text(of: file).split(separator: "\n").compactMap { $0.firstMatch(of: line) }.map { Import(file: file, module: String($0.1)) }
        }
    }

    @Test("what crosses a boundary knows neither the host, nor plugins, nor the command")
    func protocolImports() throws {
        let others = try modules(in: "Host").union(modules(in: "Plugins")).union(["SallyportCLI"])
        let imports = try imports(in: "Protocol")
        #expect(imports.count > 50)
        #expect(imports.filter { others.contains($0.module) }.map(\.description) == [])
    }

    @Test("plugins know the kit and what crosses a boundary, and never the host or each other")
    func pluginImports() throws {
        let plugins = try modules(in: "Plugins")
        let imports = try imports(in: "Plugins")
        #expect(plugins.count > 3 && imports.count > 50)
        let others = try modules(in: "Host").union(["SallyportCLI"])
        let wrong = imports.filter { found in
            let own = shown(found.file).split(separator: "/")[2]
            return others.contains(found.module) || plugins.contains(found.module) && found.module != "PluginKit" && found.module != own
        }
        #expect(wrong.map(\.description) == [])
    }

    @Test("the command knows only what crosses a boundary")
    func commandImports() throws {
        let others = try modules(in: "Host").union(modules(in: "Plugins"))
        let imports = try imports(in: "CLI")
        #expect(imports.count > 30)
        #expect(imports.filter { others.contains($0.module) }.map(\.description) == [])
    }

    @Test("a module of the host imports no other above it")
    func hostImports() throws {
        #expect(try modules(in: "Host") == ImportTests.steps.reduce([]) { $0.union($1) })
        let others = try modules(in: "Plugins").union(["SallyportCLI"])
        func step(_ module: some StringProtocol) -> Int? { ImportTests.steps.firstIndex { $0.contains(String(module)) } }
        let wrong = try imports(in: "Host").filter { found in
            let own = try #require(step(shown(found.file).split(separator: "/")[2]))
            return others.contains(found.module) || step(found.module).map { $0 > own } == true
        }
        #expect(wrong.map(\.description) == [])
    }
}
