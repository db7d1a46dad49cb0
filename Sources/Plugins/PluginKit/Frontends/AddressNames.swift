// Which names an address has, and which of them lead back to it: a reverse look-up alone says what the owner of the address likes.

import Linux

/// The confirmed names of an address.
package struct AddressNames: Sendable, Equatable {
    /// As many of the names that an address claims are looked at.
    package static let most = 8
    /// Begun later than this no look-up is of use: who asked has stopped waiting. Seconds.
    static let longest: UInt64 = 3

    /// In lower case.
    package var names: [String] = []
    /// Of all records on the way, in seconds.
    package var ttl = UInt32.max
    /// Why there may be more; empty if all was answered.
    package var problem = ""

    package init() {}

    /// Asks for the names of each of the addresses that one claims.
    /// - Parameter addresses: The addresses of a name, of the family of this one.
    mutating func confirm(_ claims: [String], of address: IPAddress, _ addresses: (String) -> NameAnswer.Family) {
        let start = clinux_monotonic()
        if claims.count > AddressNames.most { problem = "it has more than \(AddressNames.most) names" }
        for name in claims.prefix(AddressNames.most) {
            if clinux_monotonic() - start > AddressNames.longest * 1_000_000_000 {
                problem = "its names took too long to confirm"
                return
            }
            switch addresses(name) {
            case .addresses(let found, let ttl):
                self.ttl = min(self.ttl, ttl)
                if found.contains(address) { names.append(name) }
            case .none: break
            case .failed(let reason): problem = "\(name): \(reason)"
            }
        }
    }
}

/// Finds the confirmed names of an address. May take seconds.
package typealias AddressResolver = @Sendable (_ address: IPAddress) async -> AddressNames

extension IPAddress {
    /// Under which its names are in DNS: "1.2.0.192.in-addr.arpa" (RFC 1035, section 3.5), or nibbles under "ip6.arpa" (RFC 3596, section 2.5).
    package var reverseName: String {
        let bytes = bytes.reversed()
        if isV4 { return bytes.map { "\($0)." }.joined() + "in-addr.arpa" }
        return bytes.map { "\(String($0 & 15, radix: 16)).\(String($0 >> 4, radix: 16))." }.joined() + "ip6.arpa"
    }
}
