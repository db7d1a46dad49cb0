// The daemon's log: one line for each event, on standard error.

import FlowFormat
import Linux
import Logging

/// Writes "2026-01-31T10:00:00.000Z warning plugins: plugin-state plugin=policy-file state=degraded".
///
/// Under systemd the level stands first, as sd-daemon(3) has it, and the journal keeps the time.
struct LogLines: LogHandler {
    let label: String
    let level: LogLevel
    var metadata: Logger.Metadata = [:]

    /// systemd.exec(5), $JOURNAL_STREAM.
    private static let isJournal = getenv("JOURNAL_STREAM") != nil

    init(label: String, level: LogLevel) {
        self.label = label
        self.level = level
    }

    // All loggers share one level.
    var logLevel: Logger.Level {
        get { level.value }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = LogLines.isJournal ? "<\(priority(event.level))>" : "\(rfc3339(nanoseconds: clinux_realtime())) \(event.level.rawValue) "
        line += "\(label): \(event.message)"
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(quotedIfNeeded("\(value)"))" }
        if let error = event.error { line += " error=\(quotedIfNeeded("\(error)"))" }
        // One write(2), so that lines of several threads do not mix. One that fails has nowhere to be told.
        let bytes = Array((line + "\n").utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    private func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// A value with spaces, quotes or control characters is quoted and escaped, so that a line stays one.
    private func quotedIfNeeded(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0 != "\"" && $0 != "\\" && $0.value != 0x7f }
        if isPlain { return value }
        return "\"" + value.unicodeScalars.map { $0 == "\"" || $0.value < 0x20 || $0.value == 0x7f ? $0.escaped(asASCII: true) : String($0) }.joined() + "\""
    }
}
