// One place turns a failed system call into an error.

@_exported import CLinux
@_exported import Glibc

/// A system call that failed: which, with which `errno`, and on what.
public struct SystemCallError: Error, Equatable, Sendable, CustomStringConvertible {
    public let call: String
    public let errno: Int32
    /// The path, address or descriptor it was about; empty where there is nothing to add.
    public let subject: String

    public init(call: String, errno: Int32, subject: String = "") {
        self.call = call
        self.errno = errno
        self.subject = subject
    }

    public var description: String {
        let words = String(cString: strerror(errno))
        return subject.isEmpty ? "\(call): \(words)" : "\(call) \(subject): \(words)"
    }
}

/// Runs a system call, again while it is interrupted (`EINTR`), and throws what it failed with.
///
/// - Parameters:
///   - call: Its name, for the message.
///   - subject: What it is about, for the message.
/// - Returns: What the call returned, never negative.
@discardableResult
@inlinable
public func syscall<Result: FixedWidthInteger & SignedInteger>(
    _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> Result
) throws(SystemCallError) -> Result {
    while true {
        let result = body()
        if result >= 0 { return result }
        let code = clinux_errno()
        if code != EINTR { throw SystemCallError(call: "\(call)", errno: code, subject: subject()) }
    }
}
