// From a byte of a text to its line and column, and back.

/// A line and a column (in characters), both from 1.
struct Place {
    var line = 1
    var column = 1

    init(offset: Int, in text: UnsafeBufferPointer<UInt8>) {
        for byte in text.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xc0 != 0x80 {  // not a continuation byte
                column += 1
            }
        }
    }

    /// The character that stands there; nil at the end of a line or of the text.
    static func character(line: Int, column: Int, in text: UnsafeBufferPointer<UInt8>) -> Character? {
        var lines = 1
        var start = text.startIndex
        while lines < line, let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) {
            start = end + 1
            lines += 1
        }
        let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.endIndex
        let scalars = String(decoding: text[start..<end], as: UTF8.self).unicodeScalars
        return scalars.dropFirst(column - 1).first.map(Character.init)
    }
}
