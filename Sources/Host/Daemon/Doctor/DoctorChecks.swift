// What the facts come to, and what to do about it.

import SallyportProtocol

package typealias DoctorCheck = Sallyport_Control_V1_DoctorResponse.Check

extension DoctorFacts {
    /// Most lines about one topic.
    private static let most = 20

    /// Everything that was looked at, the topics in the order in which one thing rests on another. Of each the failures come
    /// first, so that none is left out for a warning.
    package var checks: [DoctorCheck] {
        [
            kernelChecks, privilegeChecks, clockChecks, pluginChecks, policyChecks, interceptionChecks, certificateChecks, frontendChecks, serviceChecks,
            proxyChecks, balancerChecks,
        ].flatMap { found in
            let checks = found.filter { $0.outcome == .failed } + found.filter { $0.outcome != .failed }
            guard checks.count > DoctorFacts.most else { return checks }
            return checks.prefix(DoctorFacts.most) + [
                check(
                    checks[0].topic, checks[DoctorFacts.most].outcome, "and \(checks.count - DoctorFacts.most) more",
                    "mend these first, then ask again")
            ]
        }
    }

    func check(_ topic: String, _ outcome: Sallyport_Control_V1_DoctorResponse.Outcome, _ text: String, _ mend: String = "") -> DoctorCheck {
        .with {
            $0.topic = topic
            $0.outcome = outcome
            $0.text = cut(text)
            $0.mend = cut(mend)
        }
    }

    /// One line that all is well, unless something is not.
    func unless(_ found: [DoctorCheck], _ topic: String, _ text: String) -> [DoctorCheck] {
        found.isEmpty ? [check(topic, .passed, text)] : found
    }
}

/// Some texts come from plugins, and those from elsewhere.
private func cut(_ text: String) -> String { text.count > 400 ? text.prefix(399) + "…" : text }

/// "1 server", "3 servers".
func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// Seconds as "45 s", "12 min", "5 h", "3 days".
func shown(seconds: Int64) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) days"
    }
}
