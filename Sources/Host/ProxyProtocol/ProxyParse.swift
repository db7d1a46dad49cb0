// Reads the header at the start of a connection, in however many pieces it came. No I/O.

/// What a connection's first bytes are.
public enum ProxyParse: Equatable, Sendable {
    /// The beginning of a header, or nothing yet.
    case incomplete
    /// No header begins so. Known from the first byte that differs, mostly the very first.
    case absent
    /// A header in the first `length` bytes; what follows belongs to the connection.
    case header(ProxyHeader, length: Int)
    /// Begins as a header but is none: a sentence that says at which byte (counted from 0), what is wrong and what would be right.
    case malformed(String)
}

/// Why a header is malformed.
struct Malformed: Error {
    let sentence: String
}

extension ProxyHeader {
    /// "PROXY " and the signature of version 2.
    static let version1Start: StaticString = "PROXY "
    static let version2Start: [12 of UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

    /// Looks at a connection's first bytes, all that have come. Other than `incomplete`, what it says stays when more come.
    ///
    /// Its time is that of the header's length, at most `version2Limit` however many bytes there are.
    public static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> ProxyParse {
        guard let first = bytes.first else { return .incomplete }
        do throws(Malformed) {
            let parsed: (header: ProxyHeader, length: Int)?
            if first == version1Start.utf8Start.pointee {
                let start = UnsafeBufferPointer(start: version1Start.utf8Start, count: version1Start.utf8CodeUnitCount)
                guard zip(bytes, start).allSatisfy(==) else { return .absent }
                parsed = bytes.count < start.count ? nil : try parseVersion1(bytes, from: start.count)
            } else {
                for at in 0..<min(bytes.count, version2Start.count) where bytes[at] != version2Start[at] { return .absent }
                parsed = try parseVersion2(bytes)
            }
            guard let parsed else { return .incomplete }
            return .header(parsed.header, length: parsed.length)
        } catch {
            return .malformed(error.sentence)
        }
    }
}

/// Bytes from the wire as they can be shown: in quotes, what is not printable ASCII as \xNN.
func quoted(_ bytes: some Collection<UInt8>) -> String {
    // The longest address that could be meant; whatever is longer is shown by its beginning.
    let limit = 48
    let shown = bytes.prefix(limit).map { byte in
        switch byte {
        case 0x22, 0x5c: "\\\(Character(Unicode.Scalar(byte)))"
        case 0x20..<0x7f: String(Unicode.Scalar(byte))
        default: "\\x" + hex(byte).dropFirst(2)
        }
    }
    return "\"\(shown.joined())\"" + (bytes.count > limit ? "…" : "")
}

/// "0x0a".
func hex(_ byte: UInt8) -> String { (byte < 16 ? "0x0" : "0x") + String(byte, radix: 16) }
