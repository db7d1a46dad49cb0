// Fuzz target: what a connection's first bytes are (Sources/Host/DataPath/Wire/ClientHello.swift).
// sources: Sources/Host/DataPath/Wire/ClientHello.swift Sources/Host/DataPath/Wire/EnforcerProtocol.swift
// modules: Policy PolicyDocuments SallyportProtocol SwiftProtobuf Yams CYaml Linux CLinux

/// A verdict, once given, must stay when more bytes come.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    let verdict = ClientHello.look(at: bytes)
    if case .clientHello(let length, _) = verdict { precondition(length <= count) }
    for end in stride(from: 0, to: count, by: max(1, count / 64)) {
        let early = ClientHello.look(at: UnsafeBufferPointer(rebasing: bytes[..<end]))
        precondition(early == .incomplete || early == verdict, "the verdict changed as bytes came")
    }
    return 0
}
