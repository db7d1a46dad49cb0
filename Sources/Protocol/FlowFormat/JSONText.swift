// JSON written straight into bytes (RFC 8259): one value after another, no tree.

/// A growing piece of JSON text. The caller writes keys and values in turn; commas come by themselves.
public struct JSONText: Sendable {
    public private(set) var bytes: [UInt8] = []
    /// A value has been written on this level, so that the next one needs a comma.
    private var needsComma = false

    public init() {}

    public mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    /// Forgets what was written and keeps the memory.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    public mutating func beginObject() { open(UInt8(ascii: "{")) }
    public mutating func endObject() { close(UInt8(ascii: "}")) }
    public mutating func beginArray() { open(UInt8(ascii: "[")) }
    public mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Ends a line; the next value stands by itself (JSON lines).
    public mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
        needsComma = false
    }

    /// - Parameter name: Written as it is: a name that needs no escape.
    public mutating func key(_ name: StaticString) {
        quoted(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), endsWithColon: true)
        needsComma = false
    }

    public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            if utf8.contains(where: needsEscape) { escaped(utf8) } else { quoted(utf8, endsWithColon: false) }
        }
        needsComma = true
    }

    /// A value that is JSON already.
    mutating func value(_ json: [UInt8]) {
        comma()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    public mutating func number(_ value: UInt64) {
        comma()
        digits(value)
        needsComma = true
    }

    public mutating func number(_ value: Int64) {
        comma()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        digits(value.magnitude)
        needsComma = true
    }

    public mutating func boolean(_ value: Bool) {
        comma()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        comma()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func digits(_ value: UInt64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
            var rest = value
            var at = 20
            repeat {
                at -= 1
                buffer[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            bytes.append(contentsOf: buffer[at...])
        }
    }

    /// Writes what needs no escape, all at once: lines are mostly this.
    private mutating func quoted(_ text: UnsafeBufferPointer<UInt8>, endsWithColon: Bool) {
        bytes.append(addingCapacity: text.count + 4) { output in
            if needsComma { output.append(UInt8(ascii: ",")) }
            output.append(UInt8(ascii: "\""))
            output.withUnsafeMutableBufferPointer { buffer, count in
                if let start = text.baseAddress { (buffer.baseAddress! + count).initialize(from: start, count: text.count) }  // safe: it has capacity
                count += text.count
            }
            output.append(UInt8(ascii: "\""))
            if endsWithColon { output.append(UInt8(ascii: ":")) }
        }
    }

    /// A string is valid UTF-8, so that only quotes, backslashes and control characters need an escape (RFC 8259, 7).
    private mutating func escaped(_ utf8: UnsafeBufferPointer<UInt8>) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        var run = 0
        for index in utf8.indices where needsEscape(utf8[index]) {
            bytes.append(contentsOf: utf8[run..<index])
            escape(utf8[index])
            run = index + 1
        }
        bytes.append(contentsOf: utf8[run...])
        bytes.append(UInt8(ascii: "\""))
    }

    private func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7f
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        default:
            bytes.append(contentsOf: "u00".utf8)
            for digit in [byte >> 4, byte & 15] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}
