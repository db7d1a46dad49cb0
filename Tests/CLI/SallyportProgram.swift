// Runs the built command as an operator would.

import FakeControl
import Foundation
import Linux
import Support

struct Outcome: Sendable {
    let status: Int32
    let output: String
    let errors: String
}

/// The folder of the products: that of the test program itself.
private let products: String = {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    let program = String(decoding: path.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return program.lastIndex(of: "/").map { String(program[..<$0]) } ?? "."
}()

let sallyportPath = "\(products)/sallyport"

/// - Parameter through: A program and its arguments that is to start the command.
func sallyport(
    _ arguments: [String], environment: [String: String] = [:], input: String = "", through: [String] = [], program: String = sallyportPath
) async throws -> Outcome {
    try await onThread {
        let process = Process()
        let command = through + [program] + arguments
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.environment = ["PATH": "/usr/bin:/bin", "TZ": "UTC"].merging(environment) { $1 }
        let (inPipe, outPipe, errPipe) = (Pipe(), Pipe(), Pipe())
        process.standardInput = inPipe
        process.standardOutput = outPipe
        process.standardError = errPipe
        try process.run()
        inPipe.fileHandleForWriting.write(Data(input.utf8))
        try inPipe.fileHandleForWriting.close()
        let output = outPipe.fileHandleForReading.readDataToEndOfFile()
        let errors = errPipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
            errors: String(decoding: errors, as: UTF8.self))
    }
}

/// Runs the command against a daemon with these answers.
func sallyport(_ arguments: [String], asking fake: FakeControl) async throws -> Outcome {
    let folder = try TemporaryFolder()
    return try await withControlServer(at: "\(folder.path)/s", fake) { _ in
        try await sallyport(arguments + ["--socket", "\(folder.path)/s"])
    }
}

/// The JSON of an outcome.
func json(_ text: String) throws -> Any { try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) }
