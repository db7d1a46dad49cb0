// The tags in a leaf: bounded, sorted, each `key=value`.

/// The rules for the tags of one processing unit (docs/identity.md, "Tags").
public enum TagList {
    public static let maximumCount = 256
    /// Of all tags together, in UTF-8. A chain stays far below the 100 KiB that TLS libraries accept.
    public static let maximumBytes = 16 * 1024

    /// The tags in the one order in which certificates carry them: by their UTF-8 bytes, each once.
    /// - Throws: `PKIError.request`, naming the tag that is malformed or the bound that is passed.
    public static func canonical(_ tags: [String]) throws(PKIError) -> [String] {
        var sorted: [String] = []
        for tag in tags.sorted(by: precedes) where sorted.last.map({ precedes($0, tag) }) ?? true { sorted.append(tag) }
        if let problem = problem(in: sorted) { throw .request(problem) }
        return sorted
    }

    /// What is wrong with tags that claim to be canonical; nil when they are.
    static func problem(in tags: [String]) -> String? {
        if tags.count > maximumCount { return "\(tags.count) tags are more than the \(maximumCount) a certificate carries" }
        let bytes = tags.reduce(0) { $0 + $1.utf8.count }
        if bytes > maximumBytes { return "the tags have \(bytes) bytes, more than the \(maximumBytes) a certificate carries" }
        if let bad = tags.first(where: { !isTag($0) }) {
            return "\(bad.quoted) is not a tag; write key=value, without control characters"
        }
        if let pair = zip(tags, tags.dropFirst()).first(where: { !precedes($0, $1) }) {
            return "the tag \(pair.1.quoted) is out of order or there twice"
        }
        return nil
    }

    /// Whether it is `key=value`: a key, no control characters (which would deceive who reads a log); the value may be empty.
    public static func isTag(_ text: String) -> Bool {
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { return false }
        return equals != text.utf8.startIndex && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }

    /// By bytes: `String`'s own order treats some different byte strings as equal.
    private static func precedes(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }
}
