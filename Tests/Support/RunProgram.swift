// Real programs in tests.

import Linux

/// A program that did not do what the test needs of it.
public struct ProgramFailed: Error, CustomStringConvertible {
    public let description: String
}

/// Runs a program found by PATH to its end.
/// - Returns: What it wrote to standard output and standard error.
/// - Throws: `ProgramFailed` if it ended with another status than `status`.
@discardableResult
public func runProgram(_ arguments: [String], expecting status: Int32? = 0) async throws -> String {
    try await onThread {
        var ends: [Int32] = [-1, -1]
        try syscall("pipe2") { pipe2(&ends, O_CLOEXEC) }
        let output = Descriptor(owning: ends[0])
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
        // Threads of tests block signals, and the program would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let failure = posix_spawnp(&pid, arguments[0], &actions, &attributes, &words, environ)
        close(ends[1])
        guard failure == 0 else { throw SystemCallError(call: "posix_spawnp", errno: failure, subject: arguments[0]) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try syscall("read") { read(output.raw, &buffer, buffer.count) }
            if count == 0 { break }
            text += buffer[..<count]
        }
        var ended: Int32 = 0
        try syscall("waitpid") { waitpid(pid, &ended, 0) }
        let shown = String(decoding: text, as: UTF8.self)
        guard status == nil || ended == (status ?? 0) << 8 else {
            throw ProgramFailed(description: "\(arguments.joined(separator: " ")) ended with \(ended >> 8), signal \(ended & 127): \(shown)")
        }
        return shown
    }
}
