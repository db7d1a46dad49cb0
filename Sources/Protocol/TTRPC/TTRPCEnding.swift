// Why a connection ended.

import Linux

/// Why a connection ended.
public enum TTRPCEnding: Error, Hashable, Sendable {
    /// The other end closed it.
    case closedByPeer
    /// The other end went away with data of ours unread (`ECONNRESET`, `EPIPE`).
    case reset
    /// The other end did not read what was sent to it for `TTRPCLimits.stallTimeout`.
    case notRead
    /// A frame began and did not end within `TTRPCLimits.frameTimeout`.
    case unfinishedFrame
    /// This end closed it.
    case stopped
    /// A system call failed: its name and `errno`.
    case failed(call: String, errno: Int32)

    init(_ error: SystemCallError) {
        switch error.errno {
        case ECONNRESET, EPIPE: self = .reset
        default: self = .failed(call: error.call, errno: error.errno)
        }
    }

    /// A name for metrics: one of six.
    public var name: String {
        switch self {
        case .closedByPeer: "closed_by_peer"
        case .reset: "reset"
        case .notRead: "not_read"
        case .unfinishedFrame: "unfinished_frame"
        case .stopped: "stopped"
        case .failed: "failed"
        }
    }
}

extension TTRPCEnding: CustomStringConvertible {
    public var description: String {
        switch self {
        case .closedByPeer: "the other end closed the connection"
        case .reset: "the other end went away in the middle of the conversation"
        case .notRead: "the other end stopped reading"
        case .unfinishedFrame: "the other end began a frame and did not finish it in time"
        case .stopped: "the connection was closed at this end"
        case .failed(let call, let errno): "the connection failed: \(SystemCallError(call: call, errno: errno))"
        }
    }

    /// What calls that were open get.
    var unavailable: RPCError { RPCError(.unavailable, description) }
}
