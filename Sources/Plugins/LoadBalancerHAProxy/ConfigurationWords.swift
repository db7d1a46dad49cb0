// The words of a line of HAProxy's configuration (configuration.txt, section 2.2, "Quoting and escaping").

/// Reads one line. A value without I/O.
struct ConfigurationWords {
    /// Each word; nil for one that a variable or an escape like `\x41` is part of, which only HAProxy's own environment and
    /// reading give a value.
    private(set) var words: [String?] = []
    private var word: [UInt8] = []
    /// An empty word is one where quotes are.
    private var hasWord = false
    private var isUnknown = false

    /// - Returns: nil if a quote does not end.
    init?(_ line: ArraySlice<UInt8>) {
        var rest = line
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): end()
            case UInt8(ascii: "#"):
                end()
                return
            case UInt8(ascii: "'"):
                guard let quote = rest.firstIndex(of: byte) else { return nil }
                append(rest[..<quote])
                rest = rest[(quote + 1)...]
            case UInt8(ascii: "\""): if !quoted(&rest) { return nil }
            case UInt8(ascii: "\\"): escaped(&rest)
            default: append(CollectionOfOne(byte))
            }
        }
        end()
    }

    /// - Returns: Whether the quote ends.
    private mutating func quoted(_ rest: inout ArraySlice<UInt8>) -> Bool {
        append(EmptyCollection())
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): escaped(&rest)
            // Variables have a meaning between these quotes only.
            case UInt8(ascii: "$"): isUnknown = true
            default: append(CollectionOfOne(byte))
            }
        }
        return false
    }

    private mutating func escaped(_ rest: inout ArraySlice<UInt8>) {
        let byte = rest.prefix(1)
        rest = rest.dropFirst()
        append(byte)
        if !byte.allSatisfy(" #\\\"'$".utf8.contains) || byte.isEmpty { isUnknown = true }
    }

    private mutating func append(_ bytes: some Collection<UInt8>) {
        word += bytes
        hasWord = true
    }

    private mutating func end() {
        if hasWord { words.append(isUnknown ? nil : String(decoding: word, as: UTF8.self)) }
        word.removeAll(keepingCapacity: true)
        (hasWord, isUnknown) = (false, false)
    }
}
