// Fuzz target: policy documents out of any file.
// sources: Sources/Protocol/PolicyDocuments
// modules: SallyportProtocol SwiftProtobuf Yams CYaml Linux CLinux

/// Every problem must have a place in the file, and every object that came out must be one that the checks pass.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let lines = bytes.reduce(1) { $0 + ($1 == 10 || $1 == 13 ? 1 : 0) }
    let file = decodeDocuments(bytes, file: "fuzz.yaml")
    for problem in file.problems {
        // YAML counts U+0085, U+2028 and U+2029 as line breaks too, each at least two bytes, and one behind the last line.
        precondition(problem.line >= 0 && problem.line <= lines + bytes.count / 2 + 1, "a problem outside the file")
        precondition(!problem.message.isEmpty)
    }
    for object in file.objects {
        precondition(!validate(object).contains { $0.severity == .error }, "an object that its own checks refuse")
    }
    return 0
}
