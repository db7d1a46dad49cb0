// One promise of docs/plugin-abi.md, and whether a plugin kept it.

/// The outcome of one check.
public struct CheckResult: Sendable, Equatable, Encodable {
    public enum Outcome: String, Sendable, Encodable { case passed, failed, skipped }

    /// "file", "in process", "out of process"
    public let carrier: String
    /// The promise: "Describe is the same each time".
    public let check: String
    public let outcome: Outcome
    /// What was found where it failed or was skipped.
    public let detail: String
}

extension CheckResult: CustomStringConvertible {
    /// "✓ out of process: Describe is the same each time"
    public var description: String {
        let mark = switch outcome {
        case .passed: "✓"
        case .failed: "✗"
        case .skipped: "–"
        }
        return "\(mark) \(carrier): \(check)" + (detail.isEmpty ? "" : ": \(detail)")
    }
}

/// What a check throws when the promise was broken: what was found.
struct Broken: Error {
    let found: String
    init(_ found: String) { self.found = found }
}

/// What a check throws when it cannot be made.
struct Skipped: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
