// Fuzz target: the messages of sallyport/1 (docs/protocol.md, "sallyport/1").
// sources: Sources/Host/DataPath/Wire/EnforcerProtocol.swift
// modules: Policy PolicyDocuments SallyportProtocol SwiftProtobuf Yams CYaml Linux CLinux

import SwiftProtobuf

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeBufferPointer(start: start, count: count)
    check(Answer.self, bytes)
    if let preface = check(Preface.self, bytes) { _ = EnforcerProtocol.problem(in: preface) }
    return 0
}

/// What is parsed must survive its own encoding, and be incomplete when cut.
@discardableResult
private func check<Content: Message & Equatable>(_ type: Content.Type, _ bytes: UnsafeBufferPointer<UInt8>) -> Content? {
    guard case .message(let content, let length) = EnforcerProtocol.parse(type, bytes) else { return nil }
    precondition(length <= bytes.count && length <= EnforcerProtocol.messageLimit + 2)
    guard case .incomplete = EnforcerProtocol.parse(type, UnsafeBufferPointer(rebasing: bytes[..<(length - 1)])) else {
        preconditionFailure("a message that lacks a byte was taken")
    }
    if let framed = EnforcerProtocol.frame(content) {
        framed.withUnsafeBufferPointer { framed in
            guard case .message(let again, framed.count) = EnforcerProtocol.parse(type, framed) else {
                preconditionFailure("what was written cannot be read")
            }
            // A floating point field could be unequal to itself; these messages have none.
            precondition(again == content)
        }
    }
    return content
}
