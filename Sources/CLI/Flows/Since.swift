// Times on the command line: "10m" ago, or a moment.

import ArgumentParser
import FlowFormat
import Linux

/// "30s", "10m", "2h", "7d".
struct Period: ExpressibleByArgument {
    let nanoseconds: Int64

    init?(argument: String) {
        let seconds: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        // Nine digits of days are within what 64 bits of seconds hold, not of nanoseconds: hence the check.
        guard let unit = argument.last.flatMap({ seconds[$0] }), argument.dropLast().allSatisfy(\.isNumber),
            let number = Int64(argument.dropLast()), number > 0
        else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: unit * 1_000_000_000)
        if overflow { return nil }
        nanoseconds = value
    }
}

/// A period before now, or an RFC 3339 time.
struct Since: ExpressibleByArgument {
    /// Nanoseconds since 1970, above 0.
    let nanoseconds: Int64

    init?(argument: String) {
        if let period = Period(argument: argument) {
            nanoseconds = max(1, clinux_realtime() - period.nanoseconds)
        } else if let time = FlowFormat.nanoseconds(rfc3339: argument) {
            nanoseconds = max(1, time)
        } else {
            return nil
        }
    }
}
