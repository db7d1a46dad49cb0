// Durations as settings write them.

import PluginKit
import Testing

@Suite struct ConfigDurationTests {
    @Test("a whole number and a unit", arguments: [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86400), ("7d", 604_800)])
    func units(text: String, seconds: Int64) { #expect(ConfigDuration(text)?.seconds == seconds) }

    @Test("anything else is none", arguments: ["", "s", "90", "-1s", "1.5h", "1w", " 1s", "9223372036854775807h"])
    func none(text: String) { #expect(ConfigDuration(text) == nil) }
}
