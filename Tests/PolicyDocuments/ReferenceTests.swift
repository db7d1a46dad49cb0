// The reference and the examples say what the parser does.

import Linux
import PolicyDocuments
import Testing

@Suite struct ReferenceTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    private func text(_ path: String) throws -> String {
        let file = try Descriptor(opening: "\(Self.root)/\(path)", flags: O_RDONLY)
        let raw = file.raw
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = try syscall("read", path, { read(raw, &chunk, chunk.count) }), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Every file below a directory of the repository.
    private func files(below directory: String) -> [String] {
        guard let stream = opendir("\(Self.root)/\(directory)") else { return [] }
        defer { closedir(stream) }
        var found: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
            }
            if name.hasPrefix(".") { continue }
            let path = "\(directory)/\(name)"
            if entry.pointee.d_type == 4 { found += files(below: path) } else { found.append(path) }  // DT_DIR; readdir(3)
        }
        return found.sorted()
    }

    /// The beginnings of the rows of a table: "| `loadBalancer.port` | a port from 1 to 65535 | required |".
    private func rows(_ fields: [FieldDescription], _ prefix: String = "") -> [String] {
        fields.flatMap { field in
            let state = switch field.presence {
            case .required: "required"
            case .optional(let value): value
            }
            let inner = field.form.hasPrefix("a list") ? "\(prefix)\(field.name)[]." : "\(prefix)\(field.name)."
            return ["| `\(prefix)\(field.name)` | \(field.form) | \(state) |"] + rows(field.fields, inner)
        }
    }

    @Test("docs/policy.md lists every field of every kind with its form and default, in order, and no other")
    func tables() throws {
        let sections = try text("docs/policy.md").split(separator: "\n## ")
        for kind in DocumentKind.all {
            let section = try #require(sections.first { $0.hasPrefix("\(kind.kind.documentName)\n") })
            let written = section.split(separator: "\n").filter { $0.hasPrefix("| `") }
                .map { $0.split(separator: "|").prefix(3).map { "|\($0)" }.joined() + "|" }
            #expect(written == rows(kind.fields), "\(kind.kind.documentName)")
        }
    }

    @Test("every document in the documentation is one that works")
    func documentation() throws {
        var documents = 0
        for page in files(below: "docs").filter({ $0.hasSuffix(".md") }) {
            for block in try text(page).split(separator: "```yaml\n").dropFirst() {
                let yaml = String(block.prefix(upTo: block.firstRange(of: "```")?.lowerBound ?? block.endIndex))
                guard yaml.contains("apiVersion: sallyport.dev") else { continue }
                let file = decodeDocuments(yaml, file: page)
                #expect(file.problems.map(\.description) == [] && !file.objects.isEmpty)
                documents += file.objects.count
            }
        }
        // One of each kind, at least.
        #expect(documents >= 6)
    }

    @Test("every policy file among the examples is one that works")
    func examples() throws {
        let files = files(below: "Examples").filter { $0.hasSuffix(".yaml") && ($0.contains("/policies/") || $0.contains("/policy.d/")) }
        #expect(files.count >= 4)
        for path in files {
            let file = decodeDocuments(try text(path), file: path)
            #expect(file.problems.map(\.description) == [] && !file.objects.isEmpty)
        }
    }

    @Test("use case 1 is complete: client, two servers and a visitor, the service on 9376 to 80, and both permissions")
    func useCase1() throws {
        let objects = try files(below: "Examples/policies/use-case-1").flatMap { decodeDocuments(try text($0), file: $0).objects }
        #expect(objects.map(\.key.name).sorted() == [
            "client", "client-calls-web", "server1", "server2", "shop", "visitor", "web", "web-serves-client",
        ])
        let service = try #require(objects.first { $0.key.kind == .tcpService }).tcpService
        #expect(service.loadBalancer.addresses.first == "10.96.0.10" && service.loadBalancer.port == 9376 && service.target.port == 80)
        let rulesets = objects.filter { $0.key.kind == .networkRuleset }.map(\.networkRuleset)
        #expect(rulesets.flatMap(\.outgoing).flatMap(\.ports) == ["tcp/80"] && rulesets.flatMap(\.incoming).flatMap(\.ports) == ["tcp/80"])
    }
}
