// What epoll hands back with an event: whose it is.

/// 64 bits of an epoll registration: a connection's leg, a listener, the mailbox or the alarm.
enum EventToken {
    case mailbox
    case alarm
    case listener(unit: Int32, outgoing: Bool)
    case leg(index: Int32, incarnation: UInt32, far: Bool)

    // Two bits of kind, one of which leg or listener, 29 of incarnation, 32 of index.
    private static let incarnationMask: UInt32 = 1 << 29 - 1

    var raw: UInt64 {
        switch self {
        case .mailbox: 0
        case .alarm: 1
        case .listener(let unit, let outgoing): 1 << 62 | (outgoing ? 1 << 61 : 0) | UInt64(UInt32(bitPattern: unit))
        case .leg(let index, let incarnation, let far):
            2 << 62 | (far ? 1 << 61 : 0) | UInt64(incarnation & EventToken.incarnationMask) << 32 | UInt64(UInt32(bitPattern: index))
        }
    }

    @inline(__always)
    init(_ raw: UInt64) {
        let low = Int32(bitPattern: UInt32(truncatingIfNeeded: raw))
        let flag = raw >> 61 & 1 == 1
        switch raw >> 62 {
        case 2: self = .leg(index: low, incarnation: UInt32(truncatingIfNeeded: raw >> 32) & EventToken.incarnationMask, far: flag)
        case 1: self = .listener(unit: low, outgoing: flag)
        default: self = low == 0 ? .mailbox : .alarm
        }
    }

    @inline(__always)
    static func matches(_ incarnation: UInt32, _ slot: UInt32) -> Bool { slot & incarnationMask == incarnation }
}
