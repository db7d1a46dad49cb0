// What `sallyport doctor` can see of a node on which the daemon does not run.

import Interception
import Linux
import SallyportProtocol

/// Looks at the settings, the kernel, the clock, and the rules that an earlier run left. Changes nothing.
///
/// - Parameters:
///   - file: The settings' file, for what is said of it.
///   - settings: What it came to.
/// - Returns: A line for each check: outcome, topic, text and mend, with tabs between.
public func examineAtRest(file: String, settings: Result<DaemonConfiguration, any Error>) -> [String] {
    var facts = DoctorFacts()
    facts.now = clinux_realtime() / 1_000_000_000
    facts.clockIsSynchronised = DoctorFacts.clockIsSynchronised()
    var checks: [DoctorCheck] = []
    switch settings {
    case .success(let configuration):
        checks.append(facts.check("settings", .passed, access(file, F_OK) == 0 ? "\(file) is right" : "there is no \(file), so the defaults hold"))
        checks.append(facts.interceptionCheck(InterceptedNamespaces(stateDirectory: configuration.stateDirectory)))
    case .failure(let error):
        checks.append(facts.check("settings", .failed, "\(error)", "correct it; the daemon does not start with it"))
    }
    if geteuid() == 0 {
        facts.kernel = probeKernel()
        checks += facts.kernelChecks
    } else {
        checks.append(facts.check("kernel", .warning, "was not tried: only root may", "ask again as root"))
    }
    return (checks + facts.clockChecks).map { check in
        [check.outcome.word, check.topic, check.text, check.mend].map(withoutBreaks).joined(separator: "\t")
    }
}

extension DoctorFacts {
    fileprivate func interceptionCheck(_ intercepted: InterceptedNamespaces) -> DoctorCheck {
        do {
            let left = try intercepted.read()
            if left.isEmpty { return check("interception", .passed, "no unit is held by rules of an earlier run") }
            return check(
                "interception", .warning, "rules of an earlier run hold \(count(left.count, "network namespace")): what they protect is refused until the daemon runs",
                "start sallyportd, or end the protection with `sallyportd --uninstall`")
        } catch {
            return check("interception", .warning, "which rules an earlier run left cannot be read: \(error)", "ask again as root")
        }
    }
}

extension Sallyport_Control_V1_DoctorResponse.Outcome {
    fileprivate var word: String {
        switch self {
        case .passed: "passed"
        case .warning: "warning"
        case .failed, .UNRECOGNIZED: "failed"
        }
    }
}

/// Errors may have several lines.
private func withoutBreaks(_ text: String) -> String { String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 }) }
