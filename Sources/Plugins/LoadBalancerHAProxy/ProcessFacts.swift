// Which HAProxy it is, from "show info".

/// A process of HAProxy; no two are equal. A value without I/O.
package struct ProcessFacts: Sendable, Equatable {
    /// "2.6.12-1+deb12u4"
    package let version: String
    package let pid: String
    /// When it began, in seconds since 1970; 0 if it is too old to say so.
    package let start: Int64

    package init(_ answer: [UInt8]) throws(Malformed) {
        var values: [Substring: Substring] = [:]
        // The last line is empty.
        guard answer.starts(with: "Name: ".utf8), answer.suffix(2) == [10, 10] else {
            throw Malformed(reason: answer.starts(with: "Name: ".utf8) ? "is cut off" : "begins with \(firstLine(of: answer))")
        }
        for line in String(decoding: answer, as: UTF8.self).split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[line[..<colon]] = line[line.index(after: colon)...].drop { $0 == " " }
        }
        guard let version = values["Version"], let pid = values["Pid"] else { throw Malformed(reason: "lacks Version or Pid") }
        self.version = printable(String(version))
        self.pid = String(pid)
        start = values["Start_time_sec"].flatMap { Int64($0) } ?? 0
        if isSupported && start <= 0 { throw Malformed(reason: "lacks Start_time_sec") }
    }

    /// Whether the version is at least 2.6, the oldest with which the answers were compared.
    package var isSupported: Bool {
        let numbers = version.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (2, 6)
    }
}
