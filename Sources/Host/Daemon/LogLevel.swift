// How much the daemon logs: a level that can be changed while it runs.

import Logging
import Synchronization

/// How much is logged; shared by all loggers.
public final class LogLevel: Sendable {
    private let current: Mutex<Logger.Level>

    public init(_ level: Logger.Level = .info) { current = Mutex(level) }

    var value: Logger.Level { current.withLock { $0 } }

    public func set(_ level: Logger.Level) { current.withLock { $0 = level } }

    /// Makes every logger from here on write to standard error at this level. Once, at the start.
    public func bootstrap() {
        LoggingSystem.bootstrap { label in LogLines(label: label, level: self) }
    }
}
