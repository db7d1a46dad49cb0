// Which documents are in force after each reading, good and bad.

import PolicyFile
import SallyportProtocol
import Testing

@Suite struct LedgerTests {
    private func reading(_ files: (String, String)...) -> DirectoryReading {
        DirectoryReading(files: files.map { .init(path: "/d/\($0.0)", content: .bytes(Array($0.1.utf8))) })
    }

    @Test("a document that became bad keeps its last good version, until it is mended or goes")
    func lastGood() {
        var ledger = PolicyLedger()
        ledger.apply(reading(("x.yaml", file(unit("a"), unit("b")))))
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "$v=2"), unit("b", tag: "v=2")))))
        #expect(summary(ledger.state.objects.values) == "a v=1, b v=2")
        #expect(ledger.state.problems.map(\.message) == [
            "\"$v=2\" begins with $, as only derived tags do; choose another key; its last good version stays in force"
        ])
        #expect(ledger.state.problems[0].origin == "/d/x.yaml:4:27" && ledger.state.problems[0].field == "spec.tags[0]")
        // And so at the next reading, which sees the same bad document.
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "$v=2"), unit("b", tag: "v=3")))))
        #expect(summary(ledger.state.objects.values) == "a v=1, b v=3" && ledger.state.problems.count == 1)
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "v=4"), unit("b", tag: "v=3")))))
        #expect(summary(ledger.state.objects.values) == "a v=4, b v=3" && ledger.state.problems.isEmpty)
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "$v=2")))))
        #expect(summary(ledger.state.objects.values) == "a v=4")
        ledger.apply(reading(("x.yaml", unit("c"))))
        #expect(summary(ledger.state.objects.values) == "c v=1")
    }

    @Test("a document that was never good is a problem and nothing else")
    func neverGood() {
        var ledger = PolicyLedger()
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "$v=1"), unit("b")))))
        #expect(summary(ledger.state.objects.values) == "b v=1")
        #expect(ledger.state.problems.map(\.message) == ["\"$v=1\" begins with $, as only derived tags do; choose another key"])
    }

    @Test("a file that became unparsable keeps the last good documents; what stands before the break is taken")
    func unparsable() {
        var ledger = PolicyLedger()
        ledger.apply(reading(("x.yaml", file(unit("a"), unit("b"), unit("c")))))
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "v=2"), "@"))))
        #expect(summary(ledger.state.objects.values) == "a v=2, b v=1, c v=1" && ledger.state.problems.count == 1)
        ledger.apply(reading(("x.yaml", "\t")))
        ledger.apply(reading(("x.yaml", "{")))
        #expect(summary(ledger.state.objects.values) == "a v=2, b v=1, c v=1" && ledger.state.problems.count == 1)
        ledger.apply(reading(("x.yaml", unit("c", tag: "v=2"))))
        #expect(summary(ledger.state.objects.values) == "c v=2" && ledger.state.problems.isEmpty)
    }

    @Test("while a document's name cannot be read it may be any of those missing: they stay")
    func nameless() {
        var ledger = PolicyLedger()
        ledger.apply(reading(("x.yaml", file(unit("a"), unit("b")))))
        ledger.apply(reading(("x.yaml", file(unit("a", tag: "v=2"), unit("b").replacing("name: b", with: "nam: b")))))
        #expect(summary(ledger.state.objects.values) == "a v=2, b v=1")
        ledger.apply(reading(("x.yaml", unit("a", tag: "v=2"))))
        #expect(summary(ledger.state.objects.values) == "a v=2")
    }

    @Test("a document in two files: the first file's counts, and the other is told where")
    func twoFiles() {
        var ledger = PolicyLedger()
        ledger.apply(reading(("b.yaml", file(unit("x"), unit("y"))), ("a.yaml", unit("y", tag: "v=2"))))
        #expect(summary(ledger.state.objects.values) == "x v=1, y v=2")
        #expect(ledger.state.problems.map(\.message) == ["ProcessingUnit /acme/y is already defined in /d/a.yaml:1; remove one of the two"])
        #expect(ledger.state.problems[0].origin == "/d/b.yaml:6")
        ledger.apply(reading(("b.yaml", file(unit("x"), unit("y")))))
        #expect(summary(ledger.state.objects.values) == "x v=1, y v=1" && ledger.state.problems.isEmpty)
    }

    @Test("a file that cannot be read keeps its documents, and other files go on")
    func unreadable() {
        var ledger = PolicyLedger()
        ledger.apply(reading(("a.yaml", unit("a")), ("b.yaml", unit("b"))))
        ledger.apply(DirectoryReading(files: [
            .init(path: "/d/a.yaml", content: .unreadable("cannot be read: Input/output error")),
            .init(path: "/d/b.yaml", content: .bytes(Array(unit("b", tag: "v=2").utf8))),
        ]))
        #expect(summary(ledger.state.objects.values) == "a v=1, b v=2")
        #expect(ledger.state.problems.map(\.message) == ["cannot be read: Input/output error; its last good documents stay in force"])
        ledger.apply(DirectoryReading(files: [
            .init(path: "/d/a.yaml", content: .bytes([])), .init(path: "/d/b.yaml", content: .unchanged),
        ]))
        #expect(summary(ledger.state.objects.values) == "b v=2" && ledger.state.problems.isEmpty)
    }
}
