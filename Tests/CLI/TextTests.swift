import SallyportCLI
import Testing

struct TextTests {
    @Test(
        "sizes have three digits at most",
        arguments: [
            (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1234, "1.2 kB"), (9960, "10 kB"), (999_499, "999 kB"), (999_500, "1 MB"),
            (34_000_000, "34 MB"), (.max, "18 EB"),
        ] as [(UInt64, String)])
    func sizes(_ count: UInt64, _ text: String) { #expect(bytes(count) == text) }

    @Test(
        "durations are short",
        arguments: [
            (-5, "0 µs"), (0, "0 µs"), (1500, "1.5 µs"), (14_000_000, "14 ms"), (999_499_999, "999 ms"), (999_500_000, "1 s"),
            (59_949_999_999, "60 s"), (59_950_000_000, "1m 0s"), (3_599_000_000_000, "59m 59s"), (86_400_000_000_000, "1d 0h"),
            (.max, "106751d 23h"),
        ] as [(Int64, String)])
    func durations(_ nanoseconds: Int64, _ text: String) { #expect(duration(nanoseconds: nanoseconds) == text) }

    @Test("width counts what a terminal shows")
    func width() {
        #expect(displayWidth("abc") == 3)
        #expect(displayWidth("🔒") == 2)
        #expect(displayWidth("✓→") == 2)
        #expect(displayWidth("日本") == 4)
        #expect(displayWidth("e\u{301}") == 1)
        #expect(truncated("abcdef", to: 4) == "abc…")
        #expect(truncated("日本語", to: 4) == "日…")
        #expect(truncated("abcd", to: 4) == "abcd")
    }

    @Test("in a narrow terminal the flexible columns give way, down to sixteen characters")
    func narrow() {
        var table = Table(("NAME", .left), ("ADDRESSES", .flexible), ("N", .right))
        table.add("web", .init(String(repeating: "x", count: 60)), "7")
        let wide = table.text(Terminal(width: nil, usesColour: false))
        #expect(wide == "NAME  ADDRESSES\(String(repeating: " ", count: 51))  N\nweb   \(String(repeating: "x", count: 60))  7\n")
        let narrow = table.text(Terminal(width: 40, usesColour: false))
        #expect(narrow.split(separator: "\n").allSatisfy { displayWidth(String($0)) <= 40 })
        #expect(narrow.contains("x…  7"))
        let tiny = table.text(Terminal(width: 10, usesColour: false))
        #expect(tiny.contains("\(String(repeating: "x", count: 15))…"))
    }

    @Test("colours do not move columns")
    func colours() {
        var table = Table(("STATE", .left), ("NAME", .left))
        table.add(.init("ready", .good), "a")
        table.add(.init("backoff", .bad), "b")
        let coloured = table.text(Terminal(width: nil, usesColour: true))
        #expect(coloured.contains("\u{1b}[32mready\u{1b}[0m    a\n"))
        #expect(coloured.contains("\u{1b}[31mbackoff\u{1b}[0m  b\n"))
    }
}
