// Reads a version 2 header: 16 fixed bytes, addresses, type-length-value fields (proxy-protocol.txt, 2.2).

import Linux

extension ProxyHeader {
    /// Signature, version and command, family and transport, length of the rest.
    static let version2Fixed = 16
    /// The field of one path; `sun_path` of unix(7).
    static let unixPathSize = 108

    /// - Returns: nil while bytes are missing. What is known to be wrong is not waited for.
    static func parseVersion2(_ bytes: UnsafeBufferPointer<UInt8>) throws(Malformed) -> (header: ProxyHeader, length: Int)? {
        if bytes.count < 13 { return nil }
        guard bytes[12] >> 4 == Version.v2.rawValue else {
            throw Malformed(sentence: "at byte 12 the version is \(bytes[12] >> 4): it must be 2")
        }
        guard let command = Command(rawValue: bytes[12] & 15) else {
            throw Malformed(sentence: "at byte 12 the command is \(bytes[12] & 15): it must be 0 (LOCAL) or 1 (PROXY)")
        }
        var header = ProxyHeader(.v2, command)
        if bytes.count < 14 { return nil }
        let isKnown = try header.takeFamily(bytes[13])
        if bytes.count < version2Fixed { return nil }
        let rest = Int(bytes[14]) << 8 | Int(bytes[15])
        let length = version2Fixed + rest
        if length > version2Limit {
            throw Malformed(sentence: "at byte 14 the length is \(rest): a header of at most \(version2Limit) bytes is taken, so \(version2Limit - version2Fixed)")
        }
        // A LOCAL header should have no addresses, whatever family it names, and must be taken when it has none.
        let addresses = isKnown && (command == .proxy || rest > 0) ? header.addressSize : 0
        if rest < addresses {
            throw Malformed(sentence: "at byte 14 the length is \(rest): the addresses of family \(header.family.rawValue) alone have \(addresses)")
        }
        if bytes.count < length { return nil }
        // Where nobody has said how long the addresses are, they cannot be told from what follows them.
        if isKnown {
            let whole = UnsafeBufferPointer(rebasing: bytes[..<length])
            (header.tlvs, header.hasChecksum) = try ProxyTLVs.parse(whole, from: version2Fixed + addresses, keeping: command == .proxy)
            if command == .proxy { header.takeAddresses(whole) }
        }
        return (header, length)
    }

    /// - Returns: Whether the layout of the addresses is known.
    private mutating func takeFamily(_ byte: UInt8) throws(Malformed) -> Bool {
        let family = Family(rawValue: byte >> 4)
        let transport = Transport(rawValue: byte & 15)
        if command == .proxy {
            if family == nil {
                throw Malformed(sentence: "at byte 13 the address family is \(byte >> 4): it must be 0 (unspecified), 1 (IPv4), 2 (IPv6) or 3 (Unix)")
            }
            if transport == nil {
                throw Malformed(sentence: "at byte 13 the transport is \(byte & 15): it must be 0 (unspecified) or 1 (stream)")
            }
            if transport == .datagram {
                throw Malformed(sentence: "at byte 13 the transport is 2, datagram, on a TCP connection: it must be 0 (unspecified) or 1 (stream)")
            }
        }
        guard let family, let transport else { return false }  // A LOCAL header's family is to be ignored.
        self.family = family
        self.transport = transport
        return (family == .unspecified) == (transport == .unspecified)
    }

    /// How many bytes the addresses have.
    private var addressSize: Int {
        switch family {
        case .unspecified: 0
        case .ipv4: 2 * 4 + 2 * 2
        case .ipv6: 2 * 16 + 2 * 2
        case .unix: 2 * ProxyHeader.unixPathSize
        }
    }

    /// - Parameter bytes: The header, at least as long as its addresses need.
    private mutating func takeAddresses(_ bytes: UnsafeBufferPointer<UInt8>) {
        let at = ProxyHeader.version2Fixed
        switch family {
        case .unspecified: break
        case .ipv4:
            source = SocketAddress(IPAddress(v4: bytes.number(at)), bytes.number(at + 8))
            destination = SocketAddress(IPAddress(v4: bytes.number(at + 4)), bytes.number(at + 10))
        case .ipv6:
            source = SocketAddress(IPAddress(high: bytes.number(at), low: bytes.number(at + 8)), bytes.number(at + 32))
            destination = SocketAddress(IPAddress(high: bytes.number(at + 16), low: bytes.number(at + 24)), bytes.number(at + 34))
        case .unix:
            let middle = at + ProxyHeader.unixPathSize
            func path(_ at: Int) -> [UInt8] {
                let field = bytes[at..<(at + ProxyHeader.unixPathSize)]
                return Array(field[..<(field.lastIndex { $0 != 0 }.map { $0 + 1 } ?? at)])
            }
            unixPaths = UnixPaths(source: path(at), destination: path(middle))
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// The number at `at`, in network order, of as many bytes as its type has, all of which must be there.
    func number<Number: FixedWidthInteger & UnsignedInteger>(_ at: Int) -> Number {
        self[at..<(at + MemoryLayout<Number>.size)].reduce(0) { $0 << 8 | Number($1) }
    }
}
