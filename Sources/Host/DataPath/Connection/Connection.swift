// A connection as a value in the worker's slab: two legs, what it is about, and how far it has come.

import FlowLog
import Linux
import Policy
import TLSEngine

/// How far a connection has come. The stages of either side follow in this order.
enum Stage: UInt8 {
    /// Server side: waiting for the PROXY header of a load balancer.
    case readingProxyHeader
    /// Server side: waiting for the first bytes, to tell an enforcer from another client.
    case sniffing
    /// Client side: waiting for the frontend to take the connection.
    case dialling
    /// The enforcers' TLS handshake.
    case handshaking
    /// Server side: waiting for the preface.
    case awaitingPreface
    /// Server side, inner TLS: allowed, but the ClientHello is not whole yet.
    case awaitingHello
    /// Server side, mode `deferred`, an application that speaks only TLS: it does not speak first, and whether
    /// its client brings the TLS is not known yet.
    case awaitingMode
    /// Server side, public port: TLS with an external client.
    case clientHandshaking
    /// Server side, public port: waiting for an external client's first bytes inside TLS.
    case awaitingClient
    /// Server side: a client that is no enforcer has said what it must, and what it is called is not known yet.
    case awaitingName
    /// Server side: everything is decided; waiting for the application to take the connection.
    case diallingTarget
    /// Server side: TLS to an application that speaks only TLS.
    case targetHandshaking
    case relaying
    /// Refused, and said so: reading what still comes until the other end has read the answer.
    case lingering

    /// Server side: allowed, and the application has not been dialled yet, since more must come first.
    var isUndelivered: Bool {
        switch self {
        case .awaitingHello, .awaitingMode, .clientHandshaking, .awaitingClient: true
        default: false
        }
    }
}

/// What becomes of the client's bytes (docs/protocol.md, "Modes").
enum FlowMode: UInt8 {
    case wrapped = 1
    case innerTLS = 2
    case deferred = 3
    /// No enforcer at the other end: plain on both sides.
    case external = 0
}

/// One connection through this enforcer. `near` was accepted, `far` is dialled; bytes from near to far
/// go from the flow's source to its destination, on either side.
struct Connection {
    var index: Int32 = 0
    /// Rises each time the slot is used again, so that an event for its predecessor is told apart.
    var incarnation: UInt32 = 0
    var isLive = false

    var side = FlowSide.client
    var stage = Stage.sniffing
    var mode = FlowMode.wrapped
    var near = Leg()
    var far = Leg()

    var unit: UnitState?
    var service: Service?
    var peer: KnownPeer?
    /// The address that was dialled: the frontend on the client's side, the PU's own on the server's.
    var target = SocketAddress(.v4Any, 0)
    /// As the client dialled it; on the server's side the preface tells.
    var dialled = SocketAddress(.v4Any, 0)
    var tcpPeer = SocketAddress(.v4Any, 0)
    var source = SocketAddress(.v4Any, 0)

    /// Server side: taken up on a public port; `target` has the target's port.
    var isPublic = false
    /// 1 or 2 after a PROXY header.
    var proxyVersion: UInt8 = 0
    /// The PROXY header said that the load balancer itself connects.
    var isLocal = false
    var proxyDetails: FlowProxyDetails?
    /// The names of the source could not be found out in time.
    var isNameOverdue = false
    /// It was decided without them.
    var isNameUnknown = false
    /// An external client's bytes are TLS of its own, which goes through as it is.
    var carriesTLS = false

    var traceHigh: UInt64 = 0
    var traceLow: UInt64 = 0
    var startRealtime: Int64 = 0
    var startMonotonic: UInt64 = 0
    var sent: UInt64 = 0
    var received: UInt64 = 0

    var decision: Decision?
    var peerRule: FlowRule?
    var tls: TLSDetails?
    /// The first part of something that must be whole, a ClientHello or a preface; then what the client
    /// said before the application was reached.
    var partial = HeldBytes()
    /// Client side: the first part of the answer.
    var answerPart = HeldBytes()
    /// Client side: the server enforcer's answer has been read. Server side: it has been sent.
    var answered = false
    /// Client side, mode `deferred`: the byte that tells the mode has been sent.
    var modeTold = false
    var recorded = false
    var startRecorded = false
    var isQueuedToRun = false

    // Links of the one timeout queue it is in.
    var queue = TimeoutClass.none
    var deadline: UInt64 = 0
    var previous: Int32 = -1
    var next: Int32 = -1
}

typealias ConnectionPointer = UnsafeMutablePointer<Connection>

extension UnsafeMutablePointer where Pointee == Connection {
    /// The accepted leg, in place. Slots never move, so the pointer is good as long as the slot.
    @inline(__always)
    var near: UnsafeMutablePointer<Leg> { leg(MemoryLayout<Connection>.offset(of: \.near)) }
    @inline(__always)
    var far: UnsafeMutablePointer<Leg> { leg(MemoryLayout<Connection>.offset(of: \.far)) }

    @inline(__always)
    private func leg(_ offset: Int?) -> UnsafeMutablePointer<Leg> {
        // A stored property of a struct always has an offset.
        UnsafeMutableRawPointer(self).advanced(by: offset.unsafelyUnwrapped).assumingMemoryBound(to: Leg.self)
    }

    /// The leg towards the other enforcer: dialled on the client's side, accepted on the server's.
    @inline(__always)
    var enforcerLeg: UnsafeMutablePointer<Leg> { pointee.side == .client ? far : near }
    /// The leg towards the application.
    @inline(__always)
    var applicationLeg: UnsafeMutablePointer<Leg> { pointee.side == .client ? near : far }
}
