// What a server tells its owner, for the log and for metrics.

import Linux

/// Something that happened to a server's connections.
public enum TTRPCServerEvent: Sendable {
    case accepted(RPCPeer?)
    /// A connection was closed at once since `TTRPCLimits.connections` are open.
    case turnedAway(RPCPeer?)
    /// accept(2) failed, say for want of descriptors; the server tries again after a pause.
    case acceptFailed(SystemCallError)
    /// A frame was refused, for the first time on its connection; the connection lives on.
    case refused(RPCPeer?, RPCError)
    case ended(RPCPeer?, TTRPCEnding)
}

/// What happened to a server's connections since it began.
public struct TTRPCServerCounts: Sendable, Equatable {
    public var accepted: UInt64 = 0
    public var turnedAway: UInt64 = 0
    /// Frames that were answered with an error before any method saw them.
    public var refusedFrames: UInt64 = 0
    /// Ended connections by `TTRPCEnding.name`.
    public var endings: [String: UInt64] = [:]
    /// Connections now open.
    public var open = 0
}
