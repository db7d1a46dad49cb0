// Examples and documentation are true: documents validate, links lead somewhere, settings are those that exist.

import Foundation
import Support
import Testing

struct DocumentationTests {
    private func product(_ name: String) -> String { "\(PluginWorkshop.products)/\(name)" }

    @Test("every example document validates, without a warning")
    func examples() async throws {
        let documents = try files(below: "Examples", ending: ".yaml").filter { $0.lastPathComponent != "sallyportd.yaml" }
        let folders = Set(documents.map { $0.deletingLastPathComponent().path })
        #expect(folders.count > 1)
        for folder in folders.sorted() {
            let output = try await runProgram([product("sallyport"), "validate", folder])
            #expect(!output.contains("warning"), "\(output)")
        }
    }

    @Test("the example of the daemon's settings is read without an error")
    func settings() async throws {
        try await runProgram([product("sallyportd"), "--check", "--config", repository.appending(path: "Examples/sallyportd.yaml").path])
    }

    @Test("every relative link of a page leads to a file")
    func links() throws {
        let pages = try files(below: "docs", ending: ".md") + files(below: "Examples", ending: ".md")
            + FileManager.default.contentsOfDirectory(atPath: repository.path).filter { $0.hasSuffix(".md") }.map { repository.appending(path: $0) }
        var count = 0
        for page in pages {
            for link in try text(of: page).matches(of: /\]\(([^)\s#]+)(#[^)\s]*)?\)/) where !link.1.contains("://") && !link.1.hasPrefix("mailto:") {
                count += 1
                let target = page.deletingLastPathComponent().appending(path: String(link.1)).path
                #expect(FileManager.default.fileExists(atPath: target), "\(shown(page)): \(link.1)")
            }
        }
        #expect(count > 10)
    }

    /// `Field("name", \.name, form …)` of each mapping in ConfigurationFile.swift; the one named `settings` holds the others.
    private func readSettings() throws -> Set<String> {
        let source = try text(of: repository.appending(path: "Sources/Host/Daemon/ConfigurationFile.swift"))
        var mappings: [String: [(name: String, form: String)]] = [:]
        var current = ""
        for line in source.split(separator: "\n") {
            if let declared = line.firstMatch(of: /static (?:let|var|func) (\w+)/) { current = String(declared.1) }
            for field in line.matches(of: /Field\("(\w+)", \\\.\w+, ([\w.<>]+)/) {
                mappings[current, default: []].append((String(field.1), String(field.2)))
            }
        }
        return Set((mappings["settings"] ?? []).flatMap { field in
            mappings[field.form].map { $0.map { "\(field.name).\($0.name)" } } ?? [field.name]
        })
    }

    /// The first column of the table of settings: "`a.b`, `.c`" is a.b and a.c.
    private func documentedSettings() throws -> Set<String> {
        let page = try text(of: repository.appending(path: "docs/operations.md"))
        let rows = page.split(separator: "\n").drop { !$0.hasPrefix("| setting |") }.prefix { $0.hasPrefix("|") }.dropFirst(2)
        var settings: Set<String> = []
        for row in rows {
            var group: Substring = ""
            for name in row.split(separator: "|")[0].matches(of: /`([\w.]+)`/).map(\.1) {
                if !name.hasPrefix(".") { group = name.prefix { $0 != "." } }
                settings.insert(name.hasPrefix(".") ? "\(group)\(name)" : String(name))
            }
        }
        return settings
    }

    @Test("docs/operations.md has every setting of the daemon and no other")
    func settingsTable() throws {
        let settings = try readSettings()
        #expect(settings.count > 20 && settings.contains("workers") && settings.contains("timeouts.dial"))
        let documented = try documentedSettings()
        #expect(settings.subtracting(documented).sorted() == [], "docs/operations.md does not have them")
        #expect(documented.subtracting(settings).sorted() == [], "no setting has these names")
    }
}
