// What the doctor says where no daemon answers: that, and what the daemon's program sees of the node without running.

import Foundation
import Linux
import SallyportProtocol

/// - Parameters:
///   - problem: Why the daemon could not be asked.
///   - config: The daemon's settings.
func checksWithoutDaemon(_ problem: String, config: String) -> [Sallyport_Control_V1_DoctorResponse.Check] {
    var checks = [
        check("failed", "daemon", problem, "mend what fails below, then start it: systemctl start sallyportd; its log: journalctl -u sallyportd")
    ]
    guard let program = daemonProgram() else {
        checks.append(check("warning", "daemon", "its program is not beside this one, so nothing else was looked at", "install sallyportd"))
        return checks
    }
    let lines = examination(by: program, config: config)
    checks += lines.compactMap { line in
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        return fields.count == 4 ? check(fields[0], fields[1], fields[2], fields[3]) : nil
    }
    if checks.count == 1 {
        checks.append(check("failed", "daemon", "\(program) does not say what it sees", "run \(program) --check and --check-kernel"))
    }
    return checks
}

private func check(_ outcome: String, _ topic: String, _ text: String, _ mend: String) -> Sallyport_Control_V1_DoctorResponse.Check {
    .with {
        $0.topic = topic
        $0.outcome = outcome == "passed" ? .passed : outcome == "warning" ? .warning : .failed
        $0.text = text
        $0.mend = mend
    }
}

/// Beside this program, or in sbin where this one is in bin, as scripts/install puts them.
private func daemonProgram() -> String? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &path, path.count)
    guard length > 0 else { return nil }
    let own = String(decoding: path.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let folder = own.lastIndex(of: "/").map { own[..<$0] } ?? ""
    return ["\(folder)/sallyportd", "\(folder)/../sbin/sallyportd"].first { access($0, X_OK) == 0 }
}

/// What it prints, a line each. It ends by itself within 20 seconds.
private func examination(by program: String, config: String) -> [Substring] {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["--examine", "--config", config]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return [] }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
}
