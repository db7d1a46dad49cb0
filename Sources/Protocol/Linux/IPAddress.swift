// Addresses as the data path keeps them: 16 bytes in two words, IPv4 mapped into IPv6 (RFC 4291, 2.5.5.2).

/// An IPv4 or IPv6 address. IPv4 addresses are held as `::ffff:a.b.c.d`.
public struct IPAddress: Hashable, Sendable, Comparable {
    /// The address as a 128-bit number, most significant half first.
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32-bit number.
    public init(v4 number: UInt32) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(number)) }

    /// An address from its 4 or 16 bytes in network order; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }

    /// Parses what inet_pton(3) accepts for either family.
    public init?(_ text: some StringProtocol) {
        let text = String(text)
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self = withUnsafeBytes(of: &v6) {
            IPAddress(
                high: UInt64(bigEndian: $0.load(as: UInt64.self)),
                low: UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    public static let v4Any = IPAddress(v4: 0)
    public static let v6Any = IPAddress(high: 0, low: 0)
    public static let v4Loopback = IPAddress(v4: 0x7f00_0001)
    public static let v6Loopback = IPAddress(high: 0, low: 1)

    public var isV4: Bool { high == 0 && low >> 32 == 0xffff }

    /// Whether another host may be known by it, and that without an interface beside it: neither unspecified nor loopback,
    /// multicast, broadcast or IPv6's link-local (RFC 6890).
    public var isOfAnotherHost: Bool {
        if isV4 {
            let first = UInt8(truncatingIfNeeded: low >> 24)
            return first != 0 && first != 127 && first < 224
        }
        if high == 0 && low <= 1 { return false }
        return high >> 56 != 0xff && high >> 54 != 0xfe80 >> 6
    }

    /// 4 bytes for IPv4, 16 for IPv6, in network order.
    public var bytes: [UInt8] {
        let all = (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
        return isV4 ? Array(all.suffix(4)) : all
    }

    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension IPAddress: CustomStringConvertible {
    /// "192.0.2.1", "2001:db8::1" (RFC 5952, as inet_ntop(3) writes it).
    public var description: String {
        // Flow records are full of these: IPv4 fits a string's own 15 bytes and needs no memory besides.
        if isV4 {
            return String(unsafeUninitializedCapacity: 15) { text in
                var at = 0
                for shift in stride(from: UInt64(24), through: 0, by: -8) {
                    let octet = UInt8(truncatingIfNeeded: low >> shift)
                    for (unit, needed) in [(UInt8(100), octet >= 100), (10, octet >= 10), (1, true)] where needed {
                        text[at] = UInt8(ascii: "0") + octet / unit % 10
                        at += 1
                    }
                    if shift > 0 {
                        text[at] = UInt8(ascii: ".")
                        at += 1
                    }
                }
                return at
            }
        }
        var words = (high.bigEndian, low.bigEndian)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            // Never nil: the family and the room are right (inet_ntop(3)).
            String(cString: inet_ntop(AF_INET6, &words, text.baseAddress!, socklen_t(text.count))!)
        }
    }
}
