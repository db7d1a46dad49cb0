// Writes a header, for a target that wants one.

import Linux

extension ProxyHeader {
    /// The bytes to send before all others. Version 1 has no fields and no checksum, and calls "UNKNOWN" whatever is not TCP.
    /// - Returns: nil if it would be longer than `version2Limit`, or a Unix path than its field.
    public func encode() -> [UInt8]? { version == .v1 ? encodeVersion1() : encodeVersion2() }

    private func encodeVersion1() -> [UInt8] {
        guard command == .proxy, let source, let destination else { return Array("PROXY UNKNOWN\r\n".utf8) }
        // An IPv4 address beside an IPv6 one is written within IPv6 (RFC 5952, 5).
        func text(_ address: IPAddress) -> String { isV4 || !address.isV4 ? "\(address)" : "::ffff:\(address)" }
        let ends = "\(text(source.address)) \(text(destination.address)) \(source.port) \(destination.port)"
        return Array("PROXY \(isV4 ? "TCP4" : "TCP6") \(ends)\r\n".utf8)
    }

    /// Whether both addresses are to be written as IPv4.
    private var isV4: Bool { family == .ipv4 && source?.address.isV4 == true && destination?.address.isV4 == true }

    private func encodeVersion2() -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        for at in ProxyHeader.version2Start.indices { bytes.append(ProxyHeader.version2Start[at]) }
        bytes.append(version.rawValue << 4 | command.rawValue)
        var family = Family.unspecified
        if command == .proxy {
            if source != nil && destination != nil { family = isV4 ? .ipv4 : .ipv6 } else if unixPaths != nil { family = .unix }
        }
        bytes.append(family.rawValue << 4 | (family == .unspecified ? Transport.unspecified : .stream).rawValue)
        // The length, when it is known.
        bytes += [0, 0]
        if family == .unix, let unixPaths {
            for path in [unixPaths.source, unixPaths.destination] {
                let free = ProxyHeader.unixPathSize - path.count
                if free < 0 { return nil }
                bytes += path
                bytes += repeatElement(0, count: free)
            }
        } else if family != .unspecified, let source, let destination {
            for address in [source.address, destination.address] {
                if !isV4 { bytes.append(number: address.high) }
                if isV4 { bytes.append(number: UInt32(truncatingIfNeeded: address.low)) } else { bytes.append(number: address.low) }
            }
            bytes.append(number: source.port)
            bytes.append(number: destination.port)
        }
        let checksumAt = (command == .proxy ? tlvs : ProxyTLVs()).write(to: &bytes, withChecksum: hasChecksum)
        guard bytes.count <= ProxyHeader.version2Limit, let rest = UInt16(exactly: bytes.count - ProxyHeader.version2Fixed) else { return nil }
        bytes.set(number: rest, at: 14)
        if let checksumAt {
            var crc = CRC32C()
            crc.update(bytes)
            bytes.set(number: crc.value, at: checksumAt)
        }
        return bytes
    }
}

extension ProxyTLVs {
    /// In the order of their types, since some receivers (PyPI's proxy-protocol for one) take the checksum of fields so sorted.
    /// - Returns: Where the checksum itself goes; zeros are there for now.
    fileprivate func write(to bytes: inout [UInt8], withChecksum: Bool) -> Int? {
        var checksumAt: Int?
        if let alpn { bytes.append(TLVType.alpn, alpn) }
        if let authority { bytes.append(TLVType.authority, authority.utf8) }
        if withChecksum {
            checksumAt = bytes.count + TLVType.header
            bytes.append(TLVType.checksum, repeatElement(0, count: 4))
        }
        if let uniqueID { bytes.append(TLVType.uniqueID, uniqueID) }
        if let ssl { bytes.append(TLVType.ssl, ssl.bytes) }
        if let networkNamespace { bytes.append(TLVType.networkNamespace, networkNamespace.utf8) }
        if let vpcEndpointID { bytes.append(TLVType.aws, [TLVType.awsVPCEndpoint] + vpcEndpointID.utf8) }
        for tlv in others { bytes.append(tlv.type, tlv.value) }
        return checksumAt
    }
}

extension ProxySSL {
    fileprivate var bytes: [UInt8] {
        var bytes = [client.rawValue]
        bytes.append(number: verify)
        for (type, _, path) in TLVType.sslTexts {
            if let text = self[keyPath: path] { bytes.append(type, text.utf8) }
        }
        for tlv in others { bytes.append(tlv.type, tlv.value) }
        return bytes
    }
}

extension [UInt8] {
    /// A field. One that is too long for its length is longer than any header may be, which `encode` then finds.
    fileprivate mutating func append(_ type: UInt8, _ value: some Collection<UInt8>) {
        append(type)
        append(number: UInt16(truncatingIfNeeded: value.count))
        append(contentsOf: value)
    }

    /// In network order.
    fileprivate mutating func append(number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func set(number: some FixedWidthInteger, at place: Int) {
        Swift.withUnsafeBytes(of: number.bigEndian) { replaceSubrange(place..<(place + $0.count), with: $0) }
    }
}
