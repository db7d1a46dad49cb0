// Headers put together by hand for the tests.

import Linux
import ProxyProtocol
import Testing

/// What the parser says of a connection's first bytes.
func parse(_ bytes: some Sequence<UInt8>) -> ProxyParse { Array(bytes).withUnsafeBufferPointer(ProxyHeader.parse) }

func parse(_ text: String) -> ProxyParse { parse(text.utf8) }

/// The bytes that hexadecimal digits write, blanks between them left out.
func bytes(hex: String) throws -> [UInt8] {
    let digits = Array(hex.filter { !$0.isWhitespace })
    try #require(digits.count.isMultiple(of: 2))
    return try stride(from: 0, to: digits.count, by: 2).map { try #require(UInt8(String(digits[$0...($0 + 1)]), radix: 16)) }
}

func socketAddress(_ text: String) throws -> SocketAddress { try #require(SocketAddress(text)) }

let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

/// 192.0.2.1:1025 to 198.51.100.2:443.
let ends4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 4, 1, 1, 187]

/// A version 2 header with a true length: PROXY for TCP over IPv4 unless told.
func version2(_ command: UInt8 = 0x21, _ family: UInt8 = 0x11, _ addresses: [UInt8] = ends4, _ tlvs: [UInt8]...) -> [UInt8] {
    let rest = addresses + tlvs.joined()
    return signature + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 255)] + rest
}

func tlv(_ type: UInt8, _ value: some Collection<UInt8>) -> [UInt8] { [type, UInt8(value.count >> 8), UInt8(value.count & 255)] + value }

func tlv(_ type: UInt8, _ value: String) -> [UInt8] { tlv(type, Array(value.utf8)) }

/// Bytes and what the parser must say of them, with the name of the case.
struct Example: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let sentence: String

    init(_ name: String, _ bytes: some Sequence<UInt8>, _ sentence: String) {
        testDescription = name
        self.bytes = Array(bytes)
        self.sentence = sentence
    }

    init(_ name: String, _ line: String, _ sentence: String) { self.init(name, line.utf8, sentence) }
}
