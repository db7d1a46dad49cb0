// How much one connection may ask of this process (docs/protocol.md, "Limits").

/// Bounds of a connection. Each holds memory or time that the other end controls.
public struct TTRPCLimits: Sendable {
    /// Longest data of a frame, in bytes; at most, and by default, ttrpc's 4 MiB.
    public var messageBytes: Int {
        didSet { messageBytes = min(messageBytes, Frame.longestPayload) }
    }
    /// Calls and streams open at once on one connection of a server.
    public var openStreams: Int
    /// Bytes queued each way on a connection, per direction: beyond it a sender waits, and reading pauses while what
    /// was read is not consumed. A message that begins below the limit is taken whole.
    public var queuedBytes: Int
    /// Bytes of the requests that a server works on at once for one connection. A single request may be longer.
    public var requestBytes: Int
    /// Connections a server holds at once; more are closed at once, and counted.
    public var connections: Int
    /// How long a frame may take from its first byte to its last.
    public var frameTimeout: Duration
    /// How long the other end may leave what was sent to it unread.
    public var stallTimeout: Duration

    public init(
        messageBytes: Int = 4 << 20, openStreams: Int = 1024, queuedBytes: Int = 1 << 20, requestBytes: Int = 16 << 20,
        connections: Int = 128, frameTimeout: Duration = .seconds(30), stallTimeout: Duration = .seconds(60)
    ) {
        self.messageBytes = min(messageBytes, Frame.longestPayload)
        self.openStreams = openStreams
        self.queuedBytes = queuedBytes
        self.requestBytes = requestBytes
        self.connections = connections
        self.frameTimeout = frameTimeout
        self.stallTimeout = stallTimeout
    }
}
