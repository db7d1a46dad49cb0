// The answer section of a DNS message (RFC 1035, section 4).

import Linux

/// The addresses in a message from a name server, and for how long they hold.
package struct DNSAnswer: Equatable {
    package var addresses: [IPAddress] = []
    /// The least of the address records and of the aliases (CNAME) that lead to them, in seconds.
    package var ttl = UInt32.max

    private enum RecordType { static let a: UInt16 = 1, cname: UInt16 = 5, aaaa: UInt16 = 28 }

    /// - Returns: nil if the message ends before it should, or lies about its lengths.
    package init?(_ message: [UInt8]) {
        var reader = Reader(bytes: message[...])
        // Identifier, flags; then the counts of questions, answers, authorities and additional records.
        guard reader.skip(4), let questions = reader.number(2), let answers = reader.number(2), reader.skip(4) else { return nil }
        for _ in 0..<questions { guard reader.skipName(), reader.skip(4) else { return nil } }
        for _ in 0..<answers {
            guard reader.skipName(), let type = reader.number(2), let category = reader.number(2), let seconds = reader.number(4),
                let length = reader.number(2), let data = reader.take(Int(length))
            else { return nil }
            guard category == 1 else { continue }  // IN
            switch (UInt16(type), length) {
            case (RecordType.a, 4), (RecordType.aaaa, 16):
                guard let address = IPAddress(bytes: data) else { return nil }
                addresses.append(address)
            case (RecordType.cname, _): break
            default: continue
            }
            // A TTL with the highest bit set is 0; RFC 2181, section 8.
            ttl = min(ttl, seconds > UInt32(Int32.max) ? 0 : seconds)
        }
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard count <= bytes.count else { return nil }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count)
        }

        mutating func skip(_ count: Int) -> Bool { take(count) != nil }

        /// - Parameter size: At most 4.
        mutating func number(_ size: Int) -> UInt32? { take(size)?.reduce(0) { $0 << 8 | UInt32($1) } }

        /// Labels up to an empty one, or to a pointer (RFC 1035, section 4.1.4).
        mutating func skipName() -> Bool {
            while let length = number(1) {
                if length == 0 { return true }
                if length & 0xc0 == 0xc0 { return skip(1) }
                guard length & 0xc0 == 0, skip(Int(length)) else { return false }
            }
            return false
        }
    }
}
