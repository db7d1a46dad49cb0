// Files as texts: YAML and JSON, broken, cut, hostile, empty.

import PolicyDocuments
import SallyportProtocol
import Testing

@Suite struct TextTests {
    @Test("empty texts, comments, and empty documents hold no document and no problem", arguments: [
        "", "\n", "# nothing\n", "---\n", "---\n---\n...\n", "--- # a\n# b\n", "\u{feff}", "null", "[]",
    ])
    func empty(text: String) {
        let file = decodeDocuments(text, file: "x")
        #expect(file.documents.isEmpty && file.problems.isEmpty && file.namesEveryDocument)
    }

    @Test("JSON is read, one document or a list of them, with tabs and escapes")
    func json() throws {
        let unit = { (name: String) in
            "{\n\t\"apiVersion\":\"sallyport.dev\\/v1\",\"kind\":\"ProcessingUnit\",\t\"metadata\":{\"name\":\"\(name)\",\"namespace\":\"/acme\"},"
                + "\n\t\"spec\":{\"type\":\"Host\",\"tags\":[\"app=\\u0077eb\"]}\n}"
        }
        let one = decodeDocuments(unit("a"), file: "x")
        #expect(one.problems.map(\.description) == [])
        #expect(try #require(one.objects.first).processingUnit.tags == ["app=web"])
        let list = decodeDocuments("[\(unit("a")), \(unit("b"))]", file: "x")
        #expect(list.problems.map(\.description) == [] && list.objects.map(\.key.name) == ["a", "b"])
        let twice = decodeDocuments("\(unit("a"))\n\(unit("b"))", file: "x")
        #expect(twice.objects.map(\.key.name) == ["a"])
        #expect(twice.breakage?.message.contains("in JSON, make a list of the documents") == true)
        #expect(twice.breakage?.line == 5)
    }

    @Test("a duplicate key in JSON is an error at the second")
    func jsonDuplicate() {
        let text = #"{"apiVersion": "sallyport.dev/v1", "kind": "ProcessingUnit", "metadata": {"name": "a", "namespace": "/", "name": "b"}, "spec": {"type": "Host"}}"#
        #expect(problem(text) == "1:106: metadata.name: is already given on line 1; keep one of the two")
    }

    @Test("where the text breaks, the documents before count, and one error says where and why", arguments: [
        ("a: b\n\tc: d", 2, 1, "a tab cannot indent a line; use spaces"),
        ("a: @x", 1, 4, "text that begins with @ must be in quotes, like \"@…\""),
        ("a: *.example.com", 1, 5, "text that begins with * must be in quotes, like \"*…\""),
        ("a: [x, !y]", 1, 10, "text that begins with ! must be in quotes, like \"!…\""),
        ("a: [x, ::1]", 1, 8, "text that begins with : must be in quotes, like \":…\""),
        ("a: b: c", 1, 5, "a second colon in one line"),
        ("a: [b, c\nd: e\n", 2, 2, "a comma or a closing bracket is missing (in what begins on line"),
        ("a: 'b\n", 2, 1, "the text ends too early"),
        ("a: b\n  c\n d: e\n- f\n", 3, 3, "a second colon in one line"),
        ("a: b\n- c\n", 2, 1, "the line does not fit what is around it"),
        ("a: \u{1}", 1, 4, "a control character (\\u{01}) is not allowed; remove it"),
    ])
    func breaks(broken: String, line: Int, column: Int, message: String) throws {
        let good = service("a") + "---\n" + service("b") + "---\n"
        let file = decodeDocuments(good + broken, file: "x")
        #expect(file.objects.map(\.key.name) == ["a", "b"])
        let breakage = try #require(file.breakage)
        #expect(breakage.line - good.count(where: \.isNewline) == line && breakage.column == column && breakage.field.isEmpty)
        #expect(breakage.message.contains(message))
        #expect(breakage.message.hasSuffix("nothing from here on can be read"))
        #expect(file.problems.count == 1 && !file.namesEveryDocument)
    }

    @Test("bytes that are not UTF-8 end the text there: only whole documents before it count")
    func notUTF8() throws {
        let good = Array((service("a") + "---\n" + service("b")).utf8)
        let file = decodeDocuments(good + [0xff, 0x0a] + Array(("---\n" + service("c")).utf8), file: "x")
        #expect(file.objects.map(\.key.name) == ["a"])
        #expect(try #require(file.breakage).description == "x:\(Array(good).count { $0 == 0x0a } + 1):1: is not UTF-8; save the file in UTF-8; nothing from here on can be read")
        let utf16 = decodeDocuments([0xff, 0xfe] + service("a").utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }, file: "x")
        #expect(utf16.documents.isEmpty && utf16.breakage?.line == 1 && utf16.breakage?.column == 1)
    }

    @Test("columns count characters, not bytes")
    func columns() {
        #expect(problem(service(more: "tags: [stadt=Köln, x]")) == "13:22: spec.tags[1]: \"x\" is no tag; write key=value")
    }

    @Test("anchors and aliases work, and an alias is judged where it stands")
    func aliases() {
        let text = document(
            "ServiceDependencyPolicy", spec: "subject: &all [[app=client]]\nobject: *all")
        #expect(problems(text) == [])
        #expect(problem(text.replacing("*all", with: "*none")).hasSuffix(
            "spec.object: no &none stands above this *none in the document; define it, or put the text in quotes"))
        // An anchor ends with its document, and a node does not contain itself.
        let second = document("ServiceDependencyPolicy", "b", spec: "subject: *all\nobject: [[a=b]]")
        #expect(problems(text + "---\n" + second).count == 1)
        #expect(problems(document("ServiceDependencyPolicy", spec: "subject: &a [*a]\nobject: [[a=b]]")).count == 1)
    }

    @Test("aliases that multiply without end are one error, and the next document is read")
    func billionLaughs() {
        var laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n"
        for level in 1...12 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            laughs += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let file = decodeDocuments(laughs + "---\n" + service("web"), file: "x")
        #expect(file.objects.map(\.key.name) == ["web"])
        let subject = laughs + document("ServiceDependencyPolicy", spec: "subject: *a12\nobject: [[a=b]]")
        #expect(problems(subject).contains { $0.contains("the aliases of this document stand for more than 100000 values; write them out") })
    }

    @Test("nesting without end is one error, and the next document is read", arguments: [("[", "]"), ("{a: ", "}")])
    func depth(open: String, close: String) {
        let deep = String(repeating: open, count: 900) + String(repeating: close, count: 900)
        let file = decodeDocuments(service("a", more: "tls: \(deep)") + "---\n" + service("b"), file: "x")
        #expect(file.objects.map(\.key.name) == ["b"] && file.problems.count >= 1 && file.breakage == nil)
        // libyaml itself gives up at 1000.
        let deeper = decodeDocuments(service("a") + "---\n" + String(repeating: open, count: 100_000), file: "x")
        #expect(deeper.objects.map(\.key.name) == ["a"] && deeper.breakage != nil)
    }

    @Test("a text cut at any byte keeps every document that was closed before, and never more than there were")
    func truncation() {
        let documents = ["a", "b", "c"].map { service($0, more: "tags: [\"stadt=Köln\"]") }
        let text = documents.joined(separator: "---\n")
        let whole = decodeDocuments(text, file: "x").objects
        #expect(whole.count == 3)
        let bytes = Array(text.utf8)
        var closed = 0
        for length in 0...bytes.count {
            if bytes[..<length].elementsEqual(documents[..<(closed + 1 < 3 ? closed + 1 : 3)].map { $0 + "---\n" }.joined().utf8) {
                closed += 1
            }
            let file = decodeDocuments(Array(bytes[..<length]), file: "x")
            #expect(file.objects.prefix(closed).map(\.key) == whole.prefix(closed).map(\.key), "cut to \(length)")
            #expect(file.documents.count <= closed + 1, "cut to \(length)")
        }
        #expect(closed == 2)
    }

    @Test("random bytes in a good text never trap, and leave a document before them alone")
    func noise() {
        let head = service("a") + "---\n"
        let tail = Array(service("b", more: "tags: [&x 'a=b', *x]").utf8)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var noisy = tail
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                noisy[Int.random(in: noisy.indices, using: &random)] = Bool.random() ? UInt8.random(in: 0...255) : "[]{}&*!|>'\"%@`:,-?#\t\n".utf8.randomElement()!  // not empty
            }
            let file = decodeDocuments(Array(head.utf8) + noisy, file: "x")
            #expect(file.documents.first?.object != nil, "\(noisy)")
        }
    }
}
