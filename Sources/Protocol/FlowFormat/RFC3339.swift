// Times as text, in UTC (RFC 3339), by integers: no calendar, no locale, no time zone data.

/// "2026-03-01T09:05:07.000000000Z".
/// - Parameter nanoseconds: Since 1970; any value has a text (years 1677 to 2262).
public func rfc3339(nanoseconds: Int64) -> String {
    let (seconds, fraction) = floorDivide(nanoseconds, 1_000_000_000)
    let date = UTCDate(seconds: seconds)
    return String(unsafeUninitializedCapacity: 30) { text in
        var at = 0
        func put(_ value: Int64, _ width: Int, _ end: Character?) {
            var rest = value
            for place in stride(from: at + width - 1, through: at, by: -1) {
                text[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            at += width
            if let byte = end?.asciiValue {
                text[at] = byte
                at += 1
            }
        }
        put(date.year, 4, "-")
        put(date.month, 2, "-")
        put(date.day, 2, "T")
        put(date.hour, 2, ":")
        put(date.minute, 2, ":")
        put(date.second, 2, ".")
        put(fraction, 9, "Z")
        return at
    }
}

/// "2026-03-01T09:05:07.000000000Z"; empty for 0, which the protocol uses for no time, and after 2262.
public func rfc3339(seconds: Int64) -> String {
    let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return seconds == 0 || overflow ? "" : rfc3339(nanoseconds: nanoseconds)
}

/// Reads an RFC 3339 time: "2026-03-01T09:05:07Z", with a fraction, with an offset like "+01:00".
/// - Returns: Nanoseconds since 1970, or nil if it is no such time or lies outside 1678...2261.
public func nanoseconds(rfc3339 text: String) -> Int64? {
    var scanner = TimeScanner(rest: text.utf8[...])
    guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
        let day = scanner.number(2), scanner.skip("T") || scanner.skip("t") || scanner.skip(" "),
        let hour = scanner.number(2), scanner.skip(":"), let minute = scanner.number(2), scanner.skip(":"),
        let second = scanner.number(2), (1678...2261).contains(year), (1...12).contains(month), day >= 1,
        day <= UTCDate.days(inMonth: month, of: year), hour < 24, minute < 60, second < 61
    else { return nil }
    guard let fraction = scanner.skip(".") ? scanner.fraction() : 0, let offset = scanner.offset(), scanner.rest.isEmpty
    else { return nil }
    let days = UTCDate.daysSince1970(year: year, month: month, day: day)
    return (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000_000 + fraction
}

/// A date and time of day in UTC, in the proleptic Gregorian calendar.
public struct UTCDate: Sendable, Equatable {
    public var year, month, day, hour, minute, second: Int64

    /// - Parameter seconds: Since 1970, within some 290 years of it.
    public init(seconds: Int64) {
        let (days, rest) = floorDivide(seconds, 86_400)
        (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60)
        // Eras of 400 years that begin on 1 March, so that the leap day is a year's last
        // (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = floorDivide(month <= 2 ? year - 1 : year, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

private struct TimeScanner {
    var rest: Substring.UTF8View

    mutating func skip(_ character: Character) -> Bool {
        guard let first = rest.first, first == character.asciiValue else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number(_ width: Int) -> Int64? {
        let digits = rest.prefix(width)
        guard digits.count == width, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        rest.removeFirst(width)
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    /// One to nine digits, as nanoseconds.
    mutating func fraction() -> Int64? {
        let width = rest.prefix { (0x30...0x39).contains($0) }.count
        guard (1...9).contains(width), let value = number(width) else { return nil }
        return (width..<9).reduce(value) { result, _ in result * 10 }
    }

    /// "Z" or "+01:00", as seconds east of UTC.
    mutating func offset() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let west = skip("-")
        guard west || skip("+"), let hours = number(2), skip(":"), let minutes = number(2), hours < 24, minutes < 60 else { return nil }
        return (west ? -1 : 1) * (hours * 3600 + minutes * 60)
    }
}
