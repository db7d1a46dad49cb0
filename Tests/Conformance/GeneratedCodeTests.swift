// The committed protobuf code is what its generators make of the .proto files.

import Foundation
import Support
import Testing

/// Where a program is, by PATH.
private func program(_ name: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}

struct GeneratedCodeTests {
    private func expectSame(_ part: String, folder: String, environment: [String] = []) async throws {
        let made = try TemporaryFolder()
        try await runProgram(["env"] + environment + ["\(repository.path)/scripts/generate", made.path, part])
        // diff(1) says which file differs, and ends with 1.
        try await runProgram(["diff", "-r", "\(made.path)/\(folder)", "\(repository.path)/Sources/Protocol/\(folder)"])
    }

    @Test("the C code is what scripts/generate makes", .enabled(if: program("protoc-c") != nil, "needs protobuf-c-compiler (scripts/packages)"))
    func c() async throws { try await expectSame("c", folder: "c") }

    @Test(
        "the Swift code is what scripts/generate makes",
        .enabled(
            if: program("protoc") != nil && program("protoc-gen-swift") != nil,
            "needs protobuf-compiler, and in PATH a protoc-gen-swift of the swift-protobuf that Package.swift names"))
    func swift() async throws {
        let plugin = try #require(program("protoc-gen-swift"))
        try await expectSame("swift", folder: "SallyportProtocol", environment: ["PROTOC_GEN_SWIFT=\(plugin)"])
    }
}
