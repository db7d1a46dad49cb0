// Reads the type-length-value fields of a version 2 header, and checks its checksum.

extension ProxyTLVs {
    /// - Parameters:
    ///   - header: The whole header.
    ///   - start: Where its fields begin.
    ///   - keeping: Whether they are read; else only their lengths and the checksum are looked at.
    /// - Returns: The fields, and whether there was a checksum, which then is right.
    static func parse(
        _ header: UnsafeBufferPointer<UInt8>, from start: Int, keeping: Bool
    ) throws(Malformed) -> (ProxyTLVs, hasChecksum: Bool) {
        var tlvs = ProxyTLVs()
        var checksumAt: Int?
        var fields = TLVFields(bytes: header, at: start)
        while let field = try fields.next() {
            if !keeping && field.type != TLVType.checksum { continue }
            switch field.type {
            case TLVType.alpn: try field.setOnce(&tlvs.alpn, "ALPN") { field throws(Malformed) in Array(field.value) }
            case TLVType.authority: try field.setOnce(&tlvs.authority, "authority") { field throws(Malformed) in try field.text("authority") }
            case TLVType.checksum: try field.setOnce(&checksumAt, "checksum") { field throws(Malformed) in try field.checksumPlace() }
            case TLVType.padding: break
            case TLVType.uniqueID:
                if field.value.count > uniqueIDLimit {
                    throw Malformed(sentence: "at byte \(field.at) the unique ID has \(field.value.count) bytes: it may have \(uniqueIDLimit)")
                }
                try field.setOnce(&tlvs.uniqueID, "unique ID") { field throws(Malformed) in Array(field.value) }
            case TLVType.ssl: try field.setOnce(&tlvs.ssl, "SSL field") { field throws(Malformed) in try ProxySSL(field) }
            case TLVType.networkNamespace:
                try field.setOnce(&tlvs.networkNamespace, "network namespace") { field throws(Malformed) in try field.text("network namespace", isASCII: true) }
            case TLVType.aws:
                // AWS took a type that is anybody's: what does not look like its own is kept and not judged.
                guard let id = field.vpcEndpointID else { fallthrough }
                try field.setOnce(&tlvs.vpcEndpointID, "VPC endpoint ID") { _ throws(Malformed) in id }
            default: tlvs.others.append(ProxyTLV(type: field.type, value: Array(field.value)))
            }
        }
        if let checksumAt { try check(header, checksumAt) }
        return (tlvs, checksumAt != nil)
    }

    /// The checksum is that of the header with zeros in its place (2.2.3).
    private static func check(_ header: UnsafeBufferPointer<UInt8>, _ at: Int) throws(Malformed) {
        var crc = CRC32C()
        crc.update(header[..<at])
        crc.update(repeatElement(0, count: 4))
        crc.update(header[(at + 4)...])
        let found: UInt32 = header.number(at)
        if found != crc.value {
            throw Malformed(sentence: "at byte \(at) the checksum is 0x\(String(found, radix: 16)): the CRC-32C of this header is 0x\(String(crc.value, radix: 16))")
        }
    }
}

extension ProxySSL {
    /// Reads the value of `field`, which begins with a byte and four.
    fileprivate init(_ field: TLVField) throws(Malformed) {
        let fixed = 5
        if field.value.count < fixed {
            throw Malformed(sentence: "at byte \(field.at) the SSL field has \(field.value.count) bytes: it must have \(fixed) or more")
        }
        self.init(client: Client(rawValue: field.value[0]), verify: field.value.number(1))
        var fields = TLVFields(bytes: field.value, at: fixed, base: field.at + TLVType.header)
        while let inner = try fields.next() {
            if let (type, name, path) = TLVType.sslTexts.first(where: { $0.type == inner.type }) {
                let isASCII = type != TLVType.commonName
                try inner.setOnce(&self[keyPath: path], name) { inner throws(Malformed) in try inner.text(name, isASCII: isASCII) }
            } else {
                others.append(ProxyTLV(type: inner.type, value: Array(inner.value)))
            }
        }
    }
}

/// One field.
private struct TLVField {
    /// Where in the header its type is.
    let at: Int
    let type: UInt8
    let value: UnsafeBufferPointer<UInt8>

    /// A field that says what only one can say must not come twice: two readers could each believe another.
    func setOnce<Value>(_ place: inout Value?, _ name: String, _ read: (TLVField) throws(Malformed) -> Value) throws(Malformed) {
        if place != nil { throw Malformed(sentence: "at byte \(at) the \(name) comes a second time: it may come once") }
        place = try read(self)
    }

    func text(_ name: String, isASCII: Bool = false) throws(Malformed) -> String {
        guard let text = String(validating: value, as: UTF8.self), !isASCII || text.utf8.count == text.unicodeScalars.count else {
            throw Malformed(sentence: "at byte \(at) the \(name) is \(quoted(value)): it must be \(isASCII ? "US-ASCII" : "UTF-8")")
        }
        return text
    }

    /// Where in the header the checksum itself is.
    func checksumPlace() throws(Malformed) -> Int {
        if value.count != 4 { throw Malformed(sentence: "at byte \(at) the checksum has \(value.count) bytes: it must have 4") }
        return at + TLVType.header
    }

    /// Letters, digits and hyphens behind AWS's subtype for it.
    var vpcEndpointID: String? {
        guard value.first == TLVType.awsVPCEndpoint else { return nil }
        let id = value.dropFirst()
        let isPlain = id.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
        return isPlain ? String(decoding: id, as: UTF8.self) : nil
    }
}

/// Fields one after the other, to the end of `bytes`.
private struct TLVFields {
    let bytes: UnsafeBufferPointer<UInt8>
    var at: Int
    /// Where in the header `bytes` begins.
    let base: Int

    init(bytes: UnsafeBufferPointer<UInt8>, at: Int, base: Int = 0) {
        self.bytes = bytes
        self.at = at
        self.base = base
    }

    mutating func next() throws(Malformed) -> TLVField? {
        let left = bytes.count - at
        if left == 0 { return nil }
        if left < TLVType.header {
            throw Malformed(sentence: "at byte \(base + at) a field has \(left) bytes left: its type and length alone have \(TLVType.header)")
        }
        let length = Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
        if length > left - TLVType.header {
            throw Malformed(sentence: "at byte \(base + at) the field of type \(hex(bytes[at])) says it has \(length) bytes: \(left - TLVType.header) are left")
        }
        let value = at + TLVType.header
        defer { at = value + length }
        return TLVField(at: base + at, type: bytes[at], value: UnsafeBufferPointer(rebasing: bytes[value..<(value + length)]))
    }
}
