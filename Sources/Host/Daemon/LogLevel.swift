// The daemon's log: lines on standard error, at a level that can be changed while it runs.

import Logging
import Synchronization

/// How much is logged; shared by all loggers.
public final class LogLevel: Sendable {
    private let current: Mutex<Logger.Level>

    public init(_ level: Logger.Level = .info) { current = Mutex(level) }

    var value: Logger.Level { current.withLock { $0 } }

    /// - Returns: false if there is no level of that name.
    public func set(_ name: String) -> Bool {
        guard let level = Logger.Level(rawValue: name) else { return false }
        current.withLock { $0 = level }
        return true
    }

    /// Makes every logger from here on write to standard error at this level. Once, at the start.
    public func bootstrap() {
        LoggingSystem.bootstrap { label in LevelledHandler(base: StreamLogHandler.standardError(label: label), shared: self) }
    }
}

/// A handler that asks for the level each time, so that one call changes all of them.
private struct LevelledHandler: LogHandler {
    var base: StreamLogHandler
    let shared: LogLevel

    init(base: StreamLogHandler, shared: LogLevel) {
        self.base = base
        self.shared = shared
        // The shared level decides; the base must let everything through.
        self.base.logLevel = .trace
    }

    var logLevel: Logger.Level {
        get { shared.value }
        set {}
    }
    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { base.log(event: event) }
}
