// CRC-32C, which guards a version 2 header (RFC 9260, appendix A; RFC 3720, 12.1).

/// The checksum of bytes that come in parts.
public struct CRC32C: Sendable {
    /// Of each byte; Castagnoli's polynomial, bits reversed. A byte a step is enough: a header has some hundred.
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(byte) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82f6_3b78 }
    }

    private var state: UInt32 = ~0

    public init() {}

    public mutating func update(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { state = CRC32C.table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
    }

    /// Of all bytes so far.
    public var value: UInt32 { ~state }
}
