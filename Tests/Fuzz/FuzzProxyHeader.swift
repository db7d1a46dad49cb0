// Fuzz target: the PROXY protocol's headers (Sources/Host/ProxyProtocol).
// sources: Sources/Host/ProxyProtocol
// modules: Linux CLinux

import Linux

/// A verdict, once given, must stay when more bytes come, and what is read must survive being written.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    let verdict = ProxyHeader.parse(bytes)
    if case .header(let header, let length) = verdict {
        precondition(length <= count && length <= ProxyHeader.version2Limit)
        precondition(ProxyHeader.parse(UnsafeBufferPointer(rebasing: bytes[..<(length - 1)])) == .incomplete, "a header that lacks a byte was taken")
        rewrite(header)
    }
    for end in stride(from: 0, to: count, by: max(1, count / 64)) {
        let early = ProxyHeader.parse(UnsafeBufferPointer(rebasing: bytes[..<end]))
        precondition(early == .incomplete || early == verdict, "the verdict changed as bytes came")
    }
    return 0
}

private func rewrite(_ header: ProxyHeader) {
    // Not when it names what it does not have: a family with no transport, or one that a LOCAL header ignores.
    var wanted = header
    if header.source == nil && header.unixPaths == nil {
        wanted.family = .unspecified
        wanted.transport = .unspecified
    }
    guard let written = header.encode() else { preconditionFailure("what was read cannot be written") }
    written.withUnsafeBufferPointer { written in
        precondition(ProxyHeader.parse(written) == .header(wanted, length: written.count), "what was written is another header")
    }
}
