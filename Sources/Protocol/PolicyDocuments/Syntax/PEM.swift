// PEM (RFC 7468), as far as a document can be judged by it: blocks of base64 that hold a whole DER SEQUENCE.
// Nothing here puts what it read into a message, since it may be a key.

/// One block of PEM.
public struct PEMBlock: Sendable, Equatable {
    /// "CERTIFICATE"
    public let label: String
    /// DER.
    public let bytes: [UInt8]

    /// The blocks of `text`; what stands between them is ignored, as RFC 7468 section 2 has it.
    public static func blocks(of text: String) throws(SyntaxProblem) -> [PEMBlock] {
        var blocks: [PEMBlock] = []
        var open: (label: String, line: Int, base64: [UInt8])?
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.drop(while: \.isWhitespace).trimmedEnd
            if let label = line.boundary("-----BEGIN ") {
                if let open { throw SyntaxProblem("its PEM block of line \(open.line) has no END \(open.label) line") }
                open = (label, number + 1, [])
            } else if let label = line.boundary("-----END ") {
                guard let begun = open, begun.label == label else {
                    throw SyntaxProblem("its PEM has END \(quoted(label)) on line \(number + 1) without the BEGIN line to it")
                }
                guard let bytes = decodeBase64(begun.base64) else {
                    throw SyntaxProblem("its PEM block of line \(begun.line) is not base64; copy the file again")
                }
                guard isWholeSequence(bytes) else {
                    throw SyntaxProblem("its PEM block of line \(begun.line) holds no whole DER structure; copy the file again")
                }
                blocks.append(PEMBlock(label: label, bytes: bytes))
                open = nil
            } else if open != nil {
                open?.base64 += line.utf8
            }
        }
        if let open { throw SyntaxProblem("its PEM block of line \(open.line) has no END \(open.label) line") }
        return blocks
    }
}

/// Checks that `text` is one certificate or more and nothing else.
public func checkCertificates(_ text: String) throws(SyntaxProblem) {
    let blocks = try PEMBlock.blocks(of: text)
    if blocks.isEmpty { throw SyntaxProblem("holds no PEM certificate; it begins with -----BEGIN CERTIFICATE-----") }
    if let other = blocks.first(where: { $0.label != "CERTIFICATE" }) {
        throw SyntaxProblem("holds a PEM block of type \(quoted(other.label)); only CERTIFICATE belongs here")
    }
}

/// Checks that `text` is one private key without a passphrase.
public func checkPrivateKey(_ text: String) throws(SyntaxProblem) {
    let isEncrypted = text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
    if isEncrypted { throw SyntaxProblem("has a passphrase; give the key without one (openssl pkey -in KEY -out NEW)") }
    // OpenSSL puts the curve before the key of an elliptic curve.
    let blocks = try PEMBlock.blocks(of: text.droppingBlocks(labelled: "EC PARAMETERS"))
    guard blocks.count == 1, let key = blocks.first, ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"].contains(key.label) else {
        throw SyntaxProblem("must hold exactly one PEM private key; it begins with -----BEGIN PRIVATE KEY-----")
    }
}

extension String {
    /// `EC PARAMETERS` holds an OBJECT IDENTIFIER, no SEQUENCE.
    fileprivate func droppingBlocks(labelled label: String) -> String {
        var isInside = false
        return split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).filter { line in
            if line.contains("-----BEGIN \(label)-----") { isInside = true }
            defer { if line.contains("-----END \(label)-----") { isInside = false } }
            return !isInside
        }.joined(separator: "\n")
    }
}

extension Substring {
    fileprivate var trimmedEnd: Substring {
        var rest = self
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }

    /// "CERTIFICATE" of "-----BEGIN CERTIFICATE-----".
    fileprivate func boundary(_ start: String) -> String? {
        guard hasPrefix(start), hasSuffix("-----"), count > start.count + 5 else { return nil }
        return String(dropFirst(start.count).dropLast(5))
    }
}

/// Strict base64 with padding (RFC 4648, section 4); nil for anything else.
private func decodeBase64(_ text: [UInt8]) -> [UInt8]? {
    guard !text.isEmpty, text.count % 4 == 0 else { return nil }
    let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var bits: UInt32 = 0
    for (index, character) in text.dropLast(padding).enumerated() {
        let six: UInt8
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): six = character - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): six = character - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): six = character + 4
        case UInt8(ascii: "+"): six = 62
        case UInt8(ascii: "/"): six = 63
        default: return nil
        }
        bits = bits << 6 | UInt32(six)
        // Every sextet but the first of four completes an octet.
        let position = index % 4
        if position > 0 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(6 - 2 * position))) }
    }
    return bytes
}

/// Whether the bytes are one DER SEQUENCE from end to end (X.690, section 8.1).
private func isWholeSequence(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= 2, bytes[0] == 0x30 else { return false }
    let first = Int(bytes[1])
    if first < 0x80 { return bytes.count == 2 + first }
    let count = first & 0x7f
    guard (1...4).contains(count), bytes.count > 2 + count else { return false }
    let length = bytes[2..<2 + count].reduce(0) { $0 << 8 | Int($1) }
    return bytes.count == 2 + count + length
}
