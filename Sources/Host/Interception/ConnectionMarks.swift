// How the kernel tells the enforcer's own connections from those of the unit.

/// The packet marks (`SO_MARK`, socket(7)) of the connections that the enforcer opens.
///
/// There are two of its own, so that a unit that dials itself meets both its own outgoing and its own incoming side, and
/// still nothing goes round twice: unmarked → outgoing listener → `outgoing` → incoming listener → `application` → application.
/// Marks end at the namespace's border: the kernel clears them when a packet crosses (skb_scrub_packet).
public struct ConnectionMarks: Sendable, Equatable {
    /// The bits that are Sallyport's. The others are left to their users.
    public let mask: UInt32
    /// Set on what the enforcer dials for a client: never redirected to the outgoing listener.
    public let outgoing: UInt32
    /// Set on what the enforcer dials towards the unit's own application: never redirected.
    public let application: UInt32
    /// Both together: set on sockets of the unit that dial a frontend (`SocketSteering`), and on what answers them.
    public var steered: UInt32 { outgoing | application }

    /// - Returns: nil unless neither mark holds the other, and both lie within `mask`.
    public init?(mask: UInt32, outgoing: UInt32, application: UInt32) {
        let both = outgoing | application
        guard both != outgoing, both != application, both & ~mask == 0 else { return nil }
        self.init(checkedMask: mask, outgoing: outgoing, application: application)
    }

    private init(checkedMask mask: UInt32, outgoing: UInt32, application: UInt32) {
        self.mask = mask
        self.outgoing = outgoing
        self.application = application
    }

    /// Bits 24 and 25: clear of those that kube-proxy (14, 15), Tailscale (16 to 23) and Istio (0 to 11) use by default.
    public static let standard = ConnectionMarks(checkedMask: 0x0300_0000, outgoing: 0x0100_0000, application: 0x0200_0000)
}
