// What no YAML text may hold: bytes that are not UTF-8, and control characters. It is looked for before
// libyaml reads, since that reads ahead and would lose the documents just before.

/// Where a text stops being readable, and why.
struct UnreadableText {
    let offset: Int
    let message: String

    /// - Returns: nil if all of `text` can be read.
    init?(in text: UnsafeBufferPointer<UInt8>) {
        // Nearly all texts; the scalars of others are looked at one by one.
        if text.allSatisfy({ $0 >= 0x20 && $0 < 0x7f || $0 == 0x0a || $0 == 0x0d || $0 == 0x09 }) { return nil }
        var parser = Unicode.UTF8.ForwardParser()
        var bytes = text.makeIterator()
        var offset = 0
        while true {
            switch parser.parseScalar(from: &bytes) {
            case .emptyInput: return nil
            case .error:
                self.offset = offset
                message = "is not UTF-8; save the file in UTF-8; nothing from here on can be read"
                return
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                guard UnreadableText.isAllowed(scalar) else {
                    self.offset = offset
                    message = "a control character (\(scalar.escaped(asASCII: true))) is not allowed; remove it; nothing from here on can be read"
                    return
                }
                offset += encoded.count
            }
        }
    }

    /// YAML 1.2.2, section 5.1, "printable characters".
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0a, 0x0d, 0x20...0x7e, 0x85, 0xa0...0xd7ff, 0xe000...0xfffd, 0x10000...0x10ffff: true
        default: false
        }
    }
}
