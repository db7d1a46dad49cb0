// Fuzz target: frames of ttrpc out of any bytes, cut anywhere (docs/protocol.md, "Frames").
// sources: Sources/Protocol/TTRPC/Framing/Frame.swift Sources/Protocol/TTRPC/Framing/FrameDecoder.swift

/// The first byte says where the rest is cut; whole and cut it must give the same, and what comes out must encode to
/// what went in.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let size = Int(start[0]) + 1
    var whole = FrameDecoder(limit: 4096)
    var pieces = FrameDecoder(limit: 4096)
    let outputs = whole.decoding(bytes)
    var cut: [FrameDecoder.Output] = []
    for index in stride(from: 0, to: bytes.count, by: size) {
        cut += pieces.decoding(Array(bytes[index..<min(bytes.count, index + size)]))
    }
    precondition(outputs == cut, "cut input gave something else")
    precondition(whole.isWithinFrame == pieces.isWithinFrame)
    var encoded: [UInt8] = []
    for case .frame(let frame) in outputs { frame.encode(into: &encoded) }
    let hasOversize = outputs.contains { if case .oversize = $0 { true } else { false } }
    if !hasOversize { precondition(bytes.starts(with: encoded), "a frame is not what was sent") }
    return 0
}

extension FrameDecoder {
    fileprivate mutating func decoding(_ bytes: [UInt8]) -> [Output] {
        var outputs: [Output] = []
        decode(bytes.span.bytes) { outputs.append($0) }
        return outputs
    }
}
