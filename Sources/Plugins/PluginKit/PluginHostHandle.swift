// What a plugin has of its host.

import Linux

/// Severity of a log line, in the numbers of syslog(3).
public enum PluginLogLevel: Int32, Sendable {
    case error = 3, warning, notice, info, debug
}

/// The host, as a plugin sees it.
public struct PluginHostHandle: Sendable {
    /// The thread all of the plugin's code runs on. An actor that is to stay there returns it as its
    /// `unownedExecutor`.
    public let thread: SerialThread
    private let write: @Sendable (PluginLogLevel, String) -> Void

    /// A host for tests of a plugin without one.
    public init(thread: SerialThread, log: @escaping @Sendable (PluginLogLevel, String) -> Void) {
        self.thread = thread
        write = log
    }

    /// Writes one line to the daemon's log, under the plugin's name.
    public func log(_ level: PluginLogLevel, _ text: String) { write(level, text) }

    /// Starts a task on the plugin's thread. `Task { … }` would run on the pool that is the daemon's own when the
    /// plugin is in its process.
    @discardableResult
    public func task(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: thread, operation: body)
    }
}
