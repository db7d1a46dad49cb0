// Text that is safe to show on a terminal, and how wide it is there.

/// `text` with what could steer a terminal made visible: control characters (Unicode's category Cc) and those that
/// change the direction of what follows (UAX #9, 2). Names come from peers' certificates, among others.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isSteering) else { return text }
    var safe = ""
    for scalar in text.unicodeScalars {
        if isSteering(scalar) { safe += "\\u{\(String(scalar.value, radix: 16))}" } else { safe.unicodeScalars.append(scalar) }
    }
    return safe
}

private func isSteering(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
    default: false
    }
}

/// Columns that `text` takes: two for wide characters (the blocks that terminals agree on), none for marks and joiners.
package func displayWidth(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + columns(of: $1) }
}

private func columns(of scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0x300..<0x370, 0x200b...0x200d, 0xfe00...0xfe0f: 0
    case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6,
        0x1f300...0x1faff, 0x20000...0x3fffd:
        2
    default: 1
    }
}

/// `text` cut to `width` columns, with "…" at its end if something is missing.
package func truncated(_ text: String, to width: Int) -> String {
    guard displayWidth(text) > width else { return text }
    var kept = ""
    var used = 0
    for character in text {
        let columns = displayWidth(String(character))
        if used + columns > width - 1 { break }
        kept.append(character)
        used += columns
    }
    return kept + "…"
}
