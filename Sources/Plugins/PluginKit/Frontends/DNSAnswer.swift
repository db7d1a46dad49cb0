// The answer section of a DNS message (RFC 1035, section 4).

import Linux

/// The addresses and names in a message from a name server, and for how long they hold.
package struct DNSAnswer: Equatable {
    package var addresses: [IPAddress] = []
    /// Where the first 64 records point to (PTR), in lower case. Those that no host can have are left out.
    package var names: [String] = []
    /// The least of these records and of the aliases (CNAME) that lead to them, in seconds.
    package var ttl = UInt32.max

    private static let mostNames = 64
    private enum RecordType { static let a: UInt16 = 1, cname: UInt16 = 5, ptr: UInt16 = 12, aaaa: UInt16 = 28 }

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
            case (RecordType.ptr, _):
                guard let labels = DNSAnswer.labels(at: data.startIndex, upTo: data.endIndex, in: message) else { return nil }
                // A message holds thousands, and the owner of the address chooses how many.
                if names.count < DNSAnswer.mostNames, let name = DNSAnswer.hostName(labels), !names.contains(name) { names.append(name) }
            case (RecordType.cname, _): break
            default: continue
            }
            // A TTL with the highest bit set is 0; RFC 2181, section 8.
            ttl = min(ttl, seconds > UInt32(Int32.max) ? 0 : seconds)
        }
    }

    /// The labels of a name, wherever its pointers lead.
    /// - Parameter end: Where its part before the first pointer must end.
    /// - Returns: nil if it is malformed: out of the message, longer than 255 bytes, or with a pointer that does not lead back, as in a loop.
    private static func labels(at start: Int, upTo end: Int, in message: [UInt8]) -> [ArraySlice<UInt8>]? {
        var labels: [ArraySlice<UInt8>] = []
        var size = 1
        var index = start
        /// The name, or the part of it that a pointer led to, begins here: the next pointer must lead before it.
        var begin = start
        var hasJumped = false
        while index < message.count {
            let length = Int(message[index])
            if length == 0 { return hasJumped || index + 1 == end ? labels : nil }
            if length & 0xc0 == 0xc0 {
                guard index + 1 < message.count, hasJumped || index + 2 == end else { return nil }
                let target = (length & 0x3f) << 8 | Int(message[index + 1])
                guard target < begin else { return nil }
                (index, begin, hasJumped) = (target, target, true)
                continue
            }
            size += length + 1
            guard length < 64, size <= 255, index + 1 + length <= message.count else { return nil }
            labels.append(message[(index + 1)..<(index + 1 + length)])
            index += 1 + length
        }
        return nil
    }

    /// - Returns: nil if it is no name of a host: with a dot inside a label, it would pass for one below another domain.
    private static func hostName(_ labels: [ArraySlice<UInt8>]) -> String? {
        let isPlain = labels.joined().allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isPlain && !labels.isEmpty ? labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".").lowercased() : nil
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
