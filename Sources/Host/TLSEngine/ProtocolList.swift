// Names of application protocols as TLS has them.

/// Each name behind its length in one byte (RFC 7301, 3.1), in memory that C may keep a pointer to; the caller frees it.
package func protocolList(_ names: [String]) -> UnsafeMutableBufferPointer<UInt8> {
    let bytes = names.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
    let list = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = list.initialize(from: bytes)
    return list
}
