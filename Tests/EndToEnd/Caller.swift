// A client that calls all the time, while something else goes wrong or is changed: none of its calls may fail.

import Support
import Testing

/// curl in a loop, each time on a new connection.
final class Caller {
    private let loop: NetworkProgram
    private let from: String

    init(from place: some NetworkPlace, url: String) throws {
        from = place.name
        let script = "while :; do curl -sS --globoff --max-time 10 -o /dev/null -w 'answered %{http_code}\\n' \"$1\" 2>&1; sleep 0.02; done"
        loop = try place.start("bash", "-c", script, "bash", url)
        try goesOn()
    }

    private var calls: [Substring] { loop.outputSoFar.split(separator: "\n") }

    private var answers: Int { calls.count { $0 == "answered 200" } }

    /// Waits until three more calls were answered: what was before is before, and what comes is after.
    func goesOn() throws {
        let before = answers
        try eventually("three answers more for \(from), but \(failures.suffix(3))") { answers >= before + 3 }
    }

    /// What was not an answer, in curl's words.
    private var failures: [Substring] { calls.filter { $0 != "answered 200" } }

    /// Ends it after a few calls more, and expects that all of its calls were answered.
    /// - Returns: How many answers it had.
    @discardableResult
    func stop(sourceLocation: SourceLocation = #_sourceLocation) throws -> Int {
        try goesOn()
        let (failures, answers) = (failures, answers)
        loop.stop()
        #expect(failures == [], sourceLocation: sourceLocation)
        return answers
    }
}
