// An address with a port, and its form for the socket calls.

/// An IP address and a TCP or UDP port (host order).
public struct SocketAddress: Hashable, Sendable {
    public var address: IPAddress
    public var port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// From what a call on an IPv4, IPv6 or dual-stack socket filled in.
    public init(_ raw: sockaddr_in6) {
        var raw = raw
        port = UInt16(bigEndian: raw.sin6_port)
        if Int32(raw.sin6_family) == AF_INET {
            // sockaddr_in: the address is where sockaddr_in6 has its flow information; ip(7).
            address = IPAddress(v4: UInt32(bigEndian: raw.sin6_flowinfo))
        } else {
            var words: (UInt64, UInt64) = (0, 0)
            withUnsafeMutablePointer(to: &words) {
                $0.withMemoryRebound(to: UInt64.self, capacity: 2) { clinux_address_words(&raw, $0) }
            }
            address = IPAddress(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
        }
    }

    /// For bind(2) and connect(2) on an `AF_INET` socket if `address` is IPv4, else on an `AF_INET6` one.
    /// - Returns: The structure and how many of its bytes count.
    public var raw: (sockaddr_in6, socklen_t) {
        var raw = sockaddr_in6()
        raw.sin6_port = port.bigEndian
        if address.isV4 {
            raw.sin6_family = sa_family_t(AF_INET)
            raw.sin6_flowinfo = UInt32(truncatingIfNeeded: address.low).bigEndian
            return (raw, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        raw.sin6_family = sa_family_t(AF_INET6)
        var words = (address.high.bigEndian, address.low.bigEndian)
        withUnsafeMutablePointer(to: &words) {
            $0.withMemoryRebound(to: UInt64.self, capacity: 2) { clinux_set_address_words(&raw, $0) }
        }
        return (raw, socklen_t(MemoryLayout<sockaddr_in6>.size))
    }
}

extension SocketAddress: CustomStringConvertible {
    /// "192.0.2.1:80", "[2001:db8::1]:80".
    public var description: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    /// Parses what `description` writes.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = text[..<colon]
        if host.first == "[" && host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(host) else { return nil }
        self.init(address, port)
    }
}
