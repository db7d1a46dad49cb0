// The table that "show stat" answers: CSV with the names of its columns first (HAProxy's management.txt, section 9.1).

/// An answer of HAProxy, or its configuration file, that is not what it should be.
package struct Malformed: Error, Equatable {
    /// "ends in the middle of line 3"
    package let reason: String

    package init(reason: String) { self.reason = reason }
}

/// Reads the columns that are asked for; the other hundred are skipped without being kept.
package struct StatisticsTable {
    /// Each line's values, in the order of the columns asked for.
    package private(set) var rows: [[String]] = []

    /// - Throws: if the answer is not such a table, lacks a column, or is cut off anywhere: it ends with an empty line.
    package init(_ answer: [UInt8], columns: [String]) throws(Malformed) {
        guard answer.starts(with: "# ".utf8) else { throw Malformed(reason: "begins with \(firstLine(of: answer))") }
        var reader = Reader(bytes: answer[2...])
        var places: [Int: Int] = [:]
        for (place, name) in try reader.line().enumerated() {
            if let wanted = columns.firstIndex(of: name) { places[place] = wanted }
        }
        for (index, name) in columns.enumerated() where !places.values.contains(index) {
            throw Malformed(reason: "has no column \(name)")
        }
        let count = (places.keys.max() ?? 0) + 1
        while !reader.isAtEmptyLine {
            let fields = try reader.line(keeping: places)
            guard fields.count >= count else { throw Malformed(reason: "has too few values in line \(reader.lines)") }
            var row = [String](repeating: "", count: columns.count)
            for (place, wanted) in places { row[wanted] = fields[place] }
            rows.append(row)
        }
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>
        /// How many were read.
        var lines = 0

        init(bytes: ArraySlice<UInt8>) { self.bytes = bytes }

        var isAtEmptyLine: Bool { bytes.first == UInt8(ascii: "\n") }

        /// - Parameter kept: The places of the values that matter; the others come as empty. nil for all.
        mutating func line(keeping kept: [Int: Int]? = nil) throws(Malformed) -> [String] {
            lines += 1
            var fields: [String] = []
            while true {
                let field = try field()
                let isKept = kept == nil || kept?[fields.count] != nil
                fields.append(isKept ? String(decoding: field, as: UTF8.self) : "")
                switch bytes.popFirst() {
                case UInt8(ascii: ","): continue
                case UInt8(ascii: "\n"): return fields
                case nil: throw Malformed(reason: "ends in the middle of line \(lines)")
                default: throw Malformed(reason: "has something behind a quoted value in line \(lines)")
                }
            }
        }

        /// A value with a comma, a quote or the end of a line in it stands in quotes; quotes in it are doubled (RFC 4180, section 2).
        private mutating func field() throws(Malformed) -> [UInt8] {
            guard bytes.first == UInt8(ascii: "\"") else {
                let field = bytes.prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "\n") }
                bytes = bytes.dropFirst(field.count)
                return Array(field)
            }
            bytes = bytes.dropFirst()
            var field: [UInt8] = []
            while let byte = bytes.popFirst() {
                if byte == UInt8(ascii: "\"") {
                    guard bytes.first == byte else { return field }
                    bytes = bytes.dropFirst()
                }
                field.append(byte)
            }
            throw Malformed(reason: "ends in the middle of line \(lines)")
        }
    }
}

/// The first line of an answer for a message, so that an operator sees what is at the other end.
func firstLine(of answer: [UInt8]) -> String {
    let line = answer.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }.prefix(80)
    return line.isEmpty ? "an empty line" : "\"\(printable(String(decoding: line, as: UTF8.self)))\""
}

/// What comes from outside must not move an operator's cursor, nor fill the screen: its first 200 characters.
func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.properties.generalCategory == .control ? "?" : $0 }))
}
