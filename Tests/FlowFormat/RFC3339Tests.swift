import FlowFormat
import Linux
import Testing

struct RFC3339Tests {
    @Test(
        "a time is written in UTC with nanoseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (1_772_355_907_123_456_789, "2026-03-01T09:05:07.123456789Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
            (.max, "2262-04-11T23:47:16.854775807Z"),
            (.min, "1677-09-21T00:12:43.145224192Z"),
        ] as [(Int64, String)])
    func writes(_ time: Int64, _ text: String) {
        #expect(rfc3339(nanoseconds: time) == text)
    }

    @Test("every day of eight hundred years agrees with the C library, and reads back")
    func days() {
        for day in Int64(-106_000)...106_000 {
            var seconds = time_t(day * 86_400 + 3661)
            var parts = tm()
            gmtime_r(&seconds, &parts)
            let date = UTCDate(seconds: Int64(seconds))
            guard date.year == Int64(parts.tm_year) + 1900, date.month == Int64(parts.tm_mon) + 1, date.day == Int64(parts.tm_mday),
                date.hour == 1, date.minute == 1, date.second == 1
            else {
                Issue.record("\(seconds): \(date)")
                return
            }
            guard (1678...2261).contains(date.year) else { continue }
            let nanoseconds = Int64(seconds) * 1_000_000_000 + 5
            #expect(FlowFormat.nanoseconds(rfc3339: rfc3339(nanoseconds: nanoseconds)) == nanoseconds)
        }
    }

    @Test(
        "offsets and fractions are read",
        arguments: [
            ("2026-03-01T09:05:07Z", 1_772_355_907_000_000_000),
            ("2026-03-01t10:05:07.5+01:00", 1_772_355_907_500_000_000),
            ("2026-03-01 00:35:07.000000001-08:30", 1_772_355_907_000_000_001),
        ] as [(String, Int64)])
    func reads(_ text: String, _ time: Int64) {
        #expect(nanoseconds(rfc3339: text) == time)
    }

    @Test(
        "what is no time is refused",
        arguments: [
            "", "now", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
            "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00Zjunk", "0000-01-01T00:00:00Z", "9999-01-01T00:00:00Z",
            "2026-1-01T00:00:00Z", "２０２６-01-01T00:00:00Z", "-026-01-01T00:00:00Z",
        ])
    func refuses(_ text: String) {
        #expect(nanoseconds(rfc3339: text) == nil)
    }

    @Test("a time cut short anywhere is refused")
    func truncated() {
        let text = "2026-03-01T09:05:07.5+01:00"
        for length in 0..<text.count { #expect(nanoseconds(rfc3339: text.prefix(length).description) == nil) }
    }
}
