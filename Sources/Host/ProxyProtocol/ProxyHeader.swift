// What a PROXY protocol header says: on whose behalf a connection was made (haproxy, doc/proxy-protocol.txt).

import Linux

/// A PROXY protocol header, of version 1 (a line of text) or 2 (binary). docs/proxy-protocol.md.
public struct ProxyHeader: Equatable, Sendable {
    /// The longest version 1 header, line end included: "PROXY UNKNOWN" with two full IPv6 addresses and ports (section 2.1).
    public static let version1Limit = 107
    /// The longest version 2 header that is read or written, its 16 fixed bytes included. Its own length field would allow
    /// 65,551. A Network Load Balancer of AWS sends 100 bytes; haproxy takes TLVs of up to 1,024 bytes (`HA_PP2_MAX_ALLOC`
    /// in its connection-t.h). This leaves room for one with a client's certificate and several others beside it.
    public static let version2Limit = 4096

    public enum Version: UInt8, Sendable {
        case v1 = 1
        case v2 = 2
    }

    /// Why the sender made the connection; the low four bits of a version 2 header's 13th byte.
    public enum Command: UInt8, Sendable {
        /// For itself, such as a health check: the TCP peer is the source.
        case local = 0
        /// For another, whom the header names.
        case proxy = 1
    }

    /// The high four bits of a version 2 header's 14th byte.
    public enum Family: UInt8, Sendable {
        /// Also "UNKNOWN" of version 1.
        case unspecified = 0
        case ipv4 = 1
        case ipv6 = 2
        case unix = 3
    }

    /// The low four bits of a version 2 header's 14th byte.
    public enum Transport: UInt8, Sendable {
        case unspecified = 0
        case stream = 1
        /// Only ever in a `local` header, where it means nothing: no datagram arrives on a TCP connection.
        case datagram = 2
    }

    /// The two ends of a connection between Unix sockets: paths without the zeros that fill their fields. An abstract
    /// name begins with a zero; unix(7).
    public struct UnixPaths: Equatable, Sendable {
        public var source: [UInt8]
        public var destination: [UInt8]

        public init(source: [UInt8], destination: [UInt8]) {
            self.source = source
            self.destination = destination
        }
    }

    public var version: Version
    public var command: Command
    public var family: Family
    public var transport: Transport
    /// Who connected to the sender; nil where the header names no IP address (`local`, `unspecified`, `unix`): then the TCP
    /// peer itself is the source.
    public var source: SocketAddress?
    /// What they had connected to; nil where `source` is.
    public var destination: SocketAddress?
    /// Set when `family` is `unix`.
    public var unixPaths: UnixPaths?
    /// What version 2 says besides; empty for `local`.
    public var tlvs = ProxyTLVs()
    /// Whether the header carried a CRC-32C, which was right; for `encode`, whether to write one.
    public var hasChecksum = false

    /// For a TCP connection from `source` to `destination`. If one of them is IPv6, both are written as such.
    public init(_ version: Version, source: SocketAddress, destination: SocketAddress) {
        self.version = version
        command = .proxy
        family = source.address.isV4 && destination.address.isV4 ? .ipv4 : .ipv6
        transport = .stream
        self.source = source
        self.destination = destination
    }

    /// For a version 2 header of a connection between Unix sockets.
    public init(unixPaths: UnixPaths) {
        version = .v2
        command = .proxy
        family = .unix
        transport = .stream
        self.unixPaths = unixPaths
    }

    /// Without an address: for the sender's own connection, or for one whose ends it cannot tell. In version 1 both are
    /// "UNKNOWN", which is read as `proxy`.
    public init(_ version: Version, _ command: Command) {
        self.version = version
        self.command = command
        family = .unspecified
        transport = .unspecified
    }
}
