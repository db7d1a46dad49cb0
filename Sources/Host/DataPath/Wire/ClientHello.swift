// Tells a TLS ClientHello from anything else in a connection's first bytes, and reads its ALPN.
// RFC 8446, 4.1.2 and 5.1; RFC 7301. No I/O; the same verdict however the bytes were cut.

/// What a connection's first bytes are.
package enum FirstBytes: Equatable {
    /// Could still be a ClientHello.
    case incomplete
    case notTLS
    /// A whole ClientHello in the first `length` bytes.
    case clientHello(length: Int, offersEnforcerProtocol: Bool)
    /// Begins as a ClientHello but cannot be one.
    case malformed
}

package enum ClientHello {
    /// A record's header: type, version, length.
    static let recordHeader = 5
    /// Twice what post-quantum key shares and a large ticket make together; more is no client we would serve.
    static let limit = 32 * 1024

    /// Looks at a connection's first bytes.
    package static func look(at bytes: UnsafeBufferPointer<UInt8>) -> FirstBytes {
        var at = 0
        var message: [UInt8] = []
        while true {
            let left = bytes.count - at
            // Every byte that is there must fit; the rest may follow.
            if left > 0 && bytes[at] != 22 { return at == 0 ? .notTLS : .malformed }
            if left > 1 && bytes[at + 1] != 3 { return at == 0 ? .notTLS : .malformed }
            if left < recordHeader { return .incomplete }
            let length = Int(bytes[at + 3]) << 8 | Int(bytes[at + 4])
            if length == 0 || length > 16 * 1024 { return at == 0 ? .notTLS : .malformed }
            let body = at + recordHeader
            let have = min(length, bytes.count - body)
            if message.isEmpty && have > 0 && bytes[body] != 1 { return .notTLS }
            if message.isEmpty, have >= 4, let size = messageSize(bytes, body), size + 4 <= have {
                // All of it in one record, the usual case: read in place.
                return verdict(UnsafeBufferPointer(rebasing: bytes[(body + 4)..<(body + 4 + size)]), end: body + length, size + 4 == length)
            }
            message.append(contentsOf: bytes[body..<(body + have)])
            if message.count > limit { return .malformed }
            if message.count >= 4 {
                let size = Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3])
                if size > limit { return .malformed }
                if message.count >= size + 4 {
                    let exact = message.count == size + 4 && have == length
                    return message.withUnsafeBufferPointer {
                        verdict(UnsafeBufferPointer(rebasing: $0[4..<(4 + size)]), end: body + length, exact)
                    }
                }
            }
            if have < length { return .incomplete }
            at = body + length
        }
    }

    private static func messageSize(_ bytes: UnsafeBufferPointer<UInt8>, _ at: Int) -> Int? {
        let size = Int(bytes[at + 1]) << 16 | Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
        return size <= limit ? size : nil
    }

    /// Nothing may follow a ClientHello in its record: the keys change after it (RFC 8446, 5.1).
    private static func verdict(_ hello: UnsafeBufferPointer<UInt8>, end: Int, _ exact: Bool) -> FirstBytes {
        guard exact, let offers = offersEnforcerProtocol(hello) else { return .malformed }
        return .clientHello(length: end, offersEnforcerProtocol: offers)
    }

    /// Walks a ClientHello's body; nil if its lengths do not add up.
    private static func offersEnforcerProtocol(_ hello: UnsafeBufferPointer<UInt8>) -> Bool? {
        var reader = Reader(bytes: hello)
        // legacy_version, random, legacy_session_id, cipher_suites, legacy_compression_methods
        guard reader.skip(34), reader.skipVector(lengthBytes: 1), reader.skipVector(lengthBytes: 2), reader.skipVector(lengthBytes: 1)
        else { return nil }
        if reader.isAtEnd { return false }
        guard var extensions = reader.vector(lengthBytes: 2), reader.isAtEnd else { return nil }
        var offers = false
        while !extensions.isAtEnd {
            guard let type = extensions.number(2), var body = extensions.vector(lengthBytes: 2) else { return nil }
            if type != 16 { continue }
            guard var names = body.vector(lengthBytes: 2), body.isAtEnd else { return nil }
            while !names.isAtEnd {
                guard let name = names.vector(lengthBytes: 1) else { return nil }
                if name.equals(EnforcerProtocol.name) { offers = true }
            }
        }
        return offers
    }
}

/// Reads length-prefixed fields; every step says whether it was there.
private struct Reader {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.count }

    mutating func skip(_ count: Int) -> Bool {
        if count > bytes.count - at { return false }
        at += count
        return true
    }

    mutating func number(_ size: Int) -> Int? {
        if size > bytes.count - at { return nil }
        var value = 0
        for _ in 0..<size {
            value = value << 8 | Int(bytes[at])
            at += 1
        }
        return value
    }

    mutating func vector(lengthBytes: Int) -> Reader? {
        guard let length = number(lengthBytes) else { return nil }
        let first = at
        guard skip(length) else { return nil }
        return Reader(bytes: UnsafeBufferPointer(rebasing: bytes[first..<at]))
    }

    mutating func skipVector(lengthBytes: Int) -> Bool { vector(lengthBytes: lengthBytes) != nil }

    func equals(_ text: StaticString) -> Bool {
        bytes.count == text.utf8CodeUnitCount && bytes.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
