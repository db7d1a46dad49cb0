// Aligned columns, as short as they can be.

package struct Table {
    package struct Cell: ExpressibleByStringInterpolation {
        var text: String
        var style = Terminal.Style.plain

        package init(_ text: String, _ style: Terminal.Style = .plain) {
            self.text = printable(text)
            self.style = style
        }

        package init(stringLiteral text: String) { self.init(text) }
    }

    package enum Alignment {
        case left, right
        /// Left, and the first to give way when the terminal is too narrow.
        case flexible
    }

    private static let gap = 2
    /// A flexible column is never cut below this.
    private static let narrowest = 16

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[Cell]] = []

    package init(_ columns: (title: String, alignment: Alignment)...) { self.columns = columns }

    package mutating func add(_ cells: Cell...) { rows.append(cells) }

    /// Lines, each ended; only those columns in which a row has something.
    package func text(_ terminal: Terminal) -> String {
        let shown = columns.indices.filter { column in rows.contains { !$0[column].text.isEmpty } }
        let widths = fitted(shown, terminal)
        var text = line(shown, widths, terminal) { Cell(columns[$0].title, .dim) }
        for row in rows { text += line(shown, widths, terminal) { row[$0] } }
        return text
    }

    private func fitted(_ shown: [Int], _ terminal: Terminal) -> [Int] {
        var widths = columns.indices.map { column in
            rows.map { displayWidth($0[column].text) }.reduce(displayWidth(columns[column].title), max)
        }
        guard let available = terminal.width else { return widths }
        for column in shown where columns[column].alignment == .flexible {
            let used = shown.reduce(Table.gap * (shown.count - 1)) { $0 + widths[$1] }
            if used > available { widths[column] = max(min(Table.narrowest, widths[column]), widths[column] - (used - available)) }
        }
        return widths
    }

    private func line(_ shown: [Int], _ widths: [Int], _ terminal: Terminal, _ cell: (Int) -> Cell) -> String {
        var line = ""
        var owed = 0
        for column in shown {
            let cell = cell(column)
            let text = truncated(cell.text, to: widths[column])
            let padding = widths[column] - displayWidth(text)
            let before = columns[column].alignment == .right ? padding : 0
            if !text.isEmpty { line += String(repeating: " ", count: owed + before) + terminal.styled(text, cell.style) }
            // Spaces are written only before something, so that no line ends in them.
            owed = (text.isEmpty ? owed + padding : padding - before) + Table.gap
        }
        return line + "\n"
    }
}
