// Whether this machine's kernel can do what the enforcer asks of it, for `sallyportd --check-kernel`.

import Interception

/// Tries everything that the enforcer asks of the kernel, in a namespace made for this.
/// - Returns: A line for each, with what to do where it is missing; and whether units can be protected here.
public func checkKernel() -> (lines: [String], isFit: Bool) {
    let features = probeKernel()
    let lines = features.map { feature in
        let mark = feature.available ? "✓" : feature.isRequired ? "✗" : "⚠"
        return "\(mark) \(feature.name): \(feature.detail)" + (feature.available || feature.mend.isEmpty ? "" : "; \(feature.mend)")
    }
    return (lines, features.allSatisfy { $0.available || !$0.isRequired })
}
