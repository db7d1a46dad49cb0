// Sizes and times, short: three digits at most.

/// "612 B", "1.2 kB", "34 MB": powers of 1000.
package func bytes(_ count: UInt64) -> String {
    if count < 1000 { return "\(count) B" }
    var value = Double(count)
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
        value /= 1000
        // 999.95 would be written as 1000.
        if value < 999.5 { return "\(threeDigits(value)) \(unit)" }
    }
    return "\(threeDigits(value / 1000)) EB"
}

/// "14 ms", "1.2 s", "3m 20s", "4h 5m", "12d 3h".
package func duration(nanoseconds: Int64) -> String {
    let value = Double(max(0, nanoseconds))
    if value < 999_500 { return "\(threeDigits(value / 1e3)) µs" }
    if value < 999_500_000 { return "\(threeDigits(value / 1e6)) ms" }
    if value < 59_950_000_000 { return "\(threeDigits(value / 1e9)) s" }
    return duration(seconds: Int64((value / 1e9).rounded()))
}

/// "42s", "3m 20s", "4h 5m", "12d 3h".
func duration(seconds: Int64) -> String {
    if seconds < 60 { return "\(max(0, seconds))s" }
    if seconds < 3600 { return "\(seconds / 60)m \(seconds % 60)s" }
    if seconds < 86_400 { return "\(seconds / 3600)h \(seconds / 60 % 60)m" }
    return "\(seconds / 86_400)d \(seconds / 3600 % 24)h"
}

/// One decimal below ten, none above.
private func threeDigits(_ value: Double) -> String {
    let tenths = Int64((value * 10).rounded())
    if tenths >= 100 || tenths % 10 == 0 { return "\(Int64(value.rounded()))" }
    return "\(tenths / 10).\(tenths % 10)"
}
