// What the doctor asks of the system: the daemon's capabilities, and whether somebody keeps the clock right.

import CTimex
import Linux

extension DoctorFacts {
    /// CapEff of this process; nil if it cannot be read.
    static func ownCapabilities() -> UInt64? {
        guard let file = try? Descriptor(opening: "/proc/self/status", flags: O_RDONLY) else { return nil }
        // It is some 1,500 bytes, and CapEff lies in the first 1,000.
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = bytes.withUnsafeMutableBytes { read(file.raw, $0.baseAddress, $0.count) }
        guard count > 0 else { return nil }
        return effectiveCapabilities(status: String(decoding: bytes[..<count], as: UTF8.self))
    }

    /// The effective capabilities in a text as /proc/PID/status has it, proc_pid_status(5).
    package static func effectiveCapabilities(status: String) -> UInt64? {
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) }
    }

    static func clockIsSynchronised() -> Bool? {
        let answer = ctimex_is_synchronised()
        return answer < 0 ? nil : answer == 1
    }
}
