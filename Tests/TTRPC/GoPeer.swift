// The Go program of Interop/, built for the test.

import Foundation
import Support
import Testing

/// A directory with the built program and a path for a socket; removed with this object.
final class GoPeer: Sendable {
    /// A started program.
    struct Running: Sendable {
        let ended: Signal
    }

    static var isThere: Bool {
        FileManager.default.isExecutableFile(atPath: "/usr/bin/go")
            && FileManager.default.fileExists(atPath: "/usr/share/gocode/src/github.com/containerd/ttrpc")
    }

    let socket: String
    private let directory: URL

    init() async throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "ttrpc-interop-\(UUID().uuidString.prefix(12))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        socket = directory.appending(path: "socket").path
        let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Interop/main.go").path
        let (status, output) = try await launch(
            "/usr/bin/go", ["build", "-o", directory.appending(path: "interop").path, source],
            // Offline, from Debian's packages; the build cache goes with the directory.
            environment: ["GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": directory.appending(path: "cache").path])
        try #require(status == 0, "go build: \(output)")
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// Runs the program to its end.
    /// - Returns: Its standard output.
    func run(_ role: String) async throws -> String {
        let (status, output) = try await launch(directory.appending(path: "interop").path, [role, socket], environment: [:])
        #expect(status == 0, "\(output)")
        return output
    }

    /// Starts the program and waits for its first line.
    /// - Returns: It, and its standard input, whose end is to end it.
    func start(_ role: String) async throws -> (Running, FileHandle) {
        let process = Process()
        process.executableURL = directory.appending(path: "interop")
        process.arguments = [role, socket]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        let ended = Signal()
        process.terminationHandler = { _ in ended.set() }
        try process.run()
        let line = try await onThread { output.fileHandleForReading.availableData }
        try #require(!line.isEmpty, "the Go program ended before it was ready")
        return (Running(ended: ended), input.fileHandleForWriting)
    }
}

/// Runs a program to its end, off the cooperative pool.
private func launch(
    _ path: String, _ arguments: [String], environment: [String: String]
) async throws -> (status: Int32, output: String) {
    try await onThread {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }
}
