// A block of addresses.

/// An address block (RFC 4632). IPv4 blocks are held in the IPv4-mapped space.
public struct CIDR: Hashable, Sendable {
    /// The lowest address; bits past the prefix are zero.
    public let base: IPAddress
    /// Bits that count of the 128: 96 more than what is written for IPv4.
    public let prefix: Int

    /// The block of `prefix` bits (of 128) that holds `address`.
    public init(_ address: IPAddress, prefix: Int) {
        let (high, low) = CIDR.mask(prefix)
        base = IPAddress(high: address.high & high, low: address.low & low)
        self.prefix = prefix
    }

    /// The block that is one address.
    public init(_ address: IPAddress) { self.init(address, prefix: 128) }

    /// Parses "10.0.0.0/8", "2001:db8::/32" or a bare address; nil if it is neither, or has bits set past its prefix.
    public init?(_ text: some StringProtocol) {
        guard let slash = text.firstIndex(of: "/") else {
            guard let address = IPAddress(text) else { return nil }
            self.init(address)
            return
        }
        let digits = text[text.index(after: slash)...]
        guard let address = IPAddress(text[..<slash]), let length = Int(digits), digits.allSatisfy(\.isNumber),
            length <= (address.isV4 ? 32 : 128)
        else { return nil }
        self.init(address, prefix: address.isV4 ? length + 96 : length)
        if base != address { return nil }
    }

    /// The two halves of the netmask of `prefix` bits.
    public static func mask(_ prefix: Int) -> (UInt64, UInt64) {
        (prefix >= 64 ? ~0 : prefix == 0 ? 0 : ~0 << UInt64(64 - prefix),
         prefix <= 64 ? 0 : prefix >= 128 ? ~0 : ~0 << UInt64(128 - prefix))
    }

    /// Whether `address` is in the block. IPv4 is never in a block of IPv6, not even in "::/0": only this type maps it there.
    public func contains(_ address: IPAddress) -> Bool {
        let (high, low) = CIDR.mask(prefix)
        return (prefix >= 96 || !address.isV4) && address.high & high == base.high && address.low & low == base.low
    }

    /// Whether every address of `other` is in the block.
    public func contains(_ other: CIDR) -> Bool { prefix <= other.prefix && contains(other.base) }

    public var isV4: Bool { base.isV4 && prefix >= 96 }
}

extension CIDR: CustomStringConvertible {
    public var description: String { "\(base)/\(isV4 ? prefix - 96 : prefix)" }
}
