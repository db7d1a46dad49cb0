// Who may make which call: decided by the ids the kernel saw when the peer connected (unix(7), SO_PEERCRED).

import TTRPC

package struct ControlAccess: Sendable {
    package enum Call: Sendable {
        case readOnly
        case change
    }

    private let owner: UInt32
    private let group: UInt32?

    /// - Parameters:
    ///   - owner: The daemon's own user.
    ///   - group: Members may make read-only calls; nil for nobody.
    package init(owner: UInt32, group: UInt32?) {
        self.owner = owner
        self.group = group
    }

    /// - Throws: `.permissionDenied` that says who may.
    package func check(_ call: Call, _ method: String, _ peer: RPCPeer?) throws(RPCError) {
        guard let peer else {
            throw RPCError(.permissionDenied, "\(method): the caller is not known; connect to the Unix socket itself")
        }
        if peer.uid == 0 || peer.uid == owner { return }
        switch call {
        case .change:
            throw RPCError(.permissionDenied, "\(method) is for root and the daemon's user, and the caller is user \(peer.uid)")
        case .readOnly:
            if let group, peer.gid == group || peer.groups.contains(group) { return }
            throw RPCError(
                .permissionDenied,
                "\(method) is for root, the daemon's user and the socket's group, and user \(peer.uid) is none of these")
        }
    }
}
