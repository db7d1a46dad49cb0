// What an operator sets about the flow log.

/// Where flow records go, and how many are kept.
public struct FlowLogConfiguration: Sendable, Equatable {
    /// The file of JSON lines; nil for none. Older records are in PATH.1, PATH.2 and so on.
    public var path: String?
    /// A file is put aside before it grows over this many bytes; 0 for never (something else rotates it).
    public var maximumBytes: Int
    /// How many files that were put aside are kept.
    public var rotatedFiles: Int
    /// Records held in memory for `sallyport flows --since`.
    public var memoryRecords: Int
    /// Records that may wait for the log's thread; more are dropped and counted.
    public var queuedRecords: Int
    /// Records that may wait for one watcher; more are counted as missed.
    public var watcherRecords: Int

    public init(
        path: String? = nil, maximumBytes: Int = 100 << 20, rotatedFiles: Int = 5, memoryRecords: Int = 10_000,
        queuedRecords: Int = 65_536, watcherRecords: Int = 4096
    ) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.rotatedFiles = rotatedFiles
        self.memoryRecords = memoryRecords
        self.queuedRecords = queuedRecords
        self.watcherRecords = watcherRecords
    }
}
