// Standard output: whether it is a terminal, how wide, and whether to colour.

import Foundation
import Linux

package struct Terminal {
    package enum Style: String {
        case plain = ""
        case bold = "1"
        case good = "32"
        case bad = "31"
        case warning = "33"
        case dim = "2"
    }

    /// Columns; nil if it is no terminal, where nothing is cut.
    let width: Int?
    let usesColour: Bool

    package init(width: Int?, usesColour: Bool) {
        self.width = width
        self.usesColour = usesColour
    }

    /// NO_COLOR: https://no-color.org.
    static let standardOutput: Terminal = {
        let environment = ProcessInfo.processInfo.environment
        guard isatty(STDOUT_FILENO) == 1 else { return Terminal(width: nil, usesColour: false) }
        var size = winsize()
        let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return Terminal(
            width: isKnown ? Int(size.ws_col) : 80,
            usesColour: (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb")
    }()

    func styled(_ text: String, _ style: Style) -> String {
        usesColour && style != .plain && !text.isEmpty ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }
}
