// How the command fails: one sentence on standard error, and an exit status that scripts can tell apart.

import ArgumentParser

/// The command could not do its work.
struct Failure: Error {
    /// One sentence, lower case, with what to do.
    let message: String
    /// There is no daemon to ask, or none that answers.
    let isDaemonAbsent: Bool

    init(_ message: String, isDaemonAbsent: Bool = false) {
        self.message = message
        self.isDaemonAbsent = isDaemonAbsent
    }
}

/// Exit statuses (docs/cli.md). Wrong usage is ArgumentParser's: 64, EX_USAGE of sysexits.h.
enum ExitStatus {
    /// The command worked, and what it was asked about is refused, not ready or not valid.
    static let no = ExitCode(1)
    static let failed = ExitCode(2)
}

/// Runs `body` and turns what it throws into a sentence and an exit status.
func reportingFailures(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as Failure {
        warn(error.message)
        throw ExitStatus.failed
    }
}
