// What an implementer learns about a call besides its bytes.

/// What a call carries besides its bytes.
public struct RPCContext: Sendable {
    public var metadata: [String: String]
    /// `clock_gettime(CLOCK_MONOTONIC)` nanoseconds after which the caller no longer waits; nil for never.
    public var deadline: UInt64?
    /// Who is at the other end of a Unix socket (SO_PEERCRED); nil where there is none.
    public var peer: RPCPeer?

    public init(metadata: [String: String] = [:], deadline: UInt64? = nil, peer: RPCPeer? = nil) {
        self.metadata = metadata
        self.deadline = deadline
        self.peer = peer
    }
}

/// Who was at the other end of a Unix socket when it connected, as the kernel saw it.
public struct RPCPeer: Sendable, Equatable {
    public var pid: Int32
    public var uid: UInt32
    public var gid: UInt32
    /// Supplementary groups (SO_PEERGROUPS, Linux 4.13).
    public var groups: [UInt32]

    public init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }
}
