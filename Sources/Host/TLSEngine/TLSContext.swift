// The few operations the data path needs of a TLS library, and what they return.

/// A TLS session of some library; only the context that opened it can use it.
public typealias TLSHandle = OpaquePointer

/// What a call on a session came to.
public enum TLSStep: Equatable, Sendable {
    /// The handshake is complete, or this many bytes of plaintext were read or written.
    case done(Int)
    /// Nothing more can be done before more ciphertext arrives.
    case needsInput
    /// The peer closed its side with close_notify (RFC 8446, 6.1).
    case closed
    /// The session is unusable; `TLSWire.failure` says why. `TLSWire.output` may hold an alert to send.
    case failed

    public var isDone: Bool { if case .done = self { true } else { false } }
}

/// A side of a handshake.
public enum TLSRole: Sendable { case client, server }

/// The verdict on a peer's certificates.
public enum TLSPeerVerdict: Sendable {
    case accepted
    /// With the alert to send (RFC 8446, 6.2).
    case refused(alert: UInt8)
}

/// How a context treats the other side's certificates.
public enum TLSVerification: Sendable {
    /// Required, and judged by the thread's `TLSWire.verifyPeer`.
    case byThread
    /// Not asked for, or taken as it is.
    case none
    /// Must chain to one of these roots (PEM), and carry this name if one is given.
    case roots(pem: String, serverName: String?)
    /// Must chain to one of the system's roots, and carry this name.
    case system(serverName: String)
}

/// What a context is made from.
public struct TLSOptions: Sendable {
    public var role: TLSRole
    /// DER, leaf first; empty for a client that shows none.
    public var chain: [[UInt8]]
    /// DER PKCS#8.
    public var privateKey: [UInt8]
    /// Offered by ALPN (RFC 7301), the preferred one first; empty for none.
    public var applicationProtocols: [String]
    /// A server refuses clients that offer only others; it serves those that offer none.
    public var requiresApplicationProtocol: Bool
    /// SNI that a client sends.
    public var serverName: String?
    public var verification: TLSVerification
    /// TLS 1.2 as well as 1.3. The OpenSSL engine, which faces others, always allows both.
    public var allowsTLS12: Bool
    /// What protects a server's tickets, 48 bytes for BoringSSL and 80 for OpenSSL; nil issues and accepts none. On a client, whether it keeps tickets.
    public var ticketKey: [UInt8]?
    /// How many tickets a server gives after a full handshake: a client that opens more than one connection at once wants several
    /// (RFC 8446, 4.6.1). After one that resumed it gives one. A context that gives several is used by one thread.
    public var ticketsPerHandshake: Int

    public init(
        role: TLSRole, chain: [[UInt8]] = [], privateKey: [UInt8] = [], applicationProtocols: [String] = [],
        requiresApplicationProtocol: Bool = false, serverName: String? = nil, verification: TLSVerification, allowsTLS12: Bool = false,
        ticketKey: [UInt8]? = nil, ticketsPerHandshake: Int = 1
    ) {
        self.role = role
        self.chain = chain
        self.privateKey = privateKey
        self.applicationProtocols = applicationProtocols
        self.requiresApplicationProtocol = requiresApplicationProtocol
        self.serverName = serverName
        self.verification = verification
        self.allowsTLS12 = allowsTLS12
        self.ticketKey = ticketKey
        self.ticketsPerHandshake = ticketsPerHandshake
    }
}

/// What was negotiated.
public struct TLSDetails: Sendable {
    /// The version's number on the wire, 0x0304 for TLS 1.3 (RFC 8446, 4.1.2).
    public let version: UInt16
    /// The cipher suite's number (IANA's TLS Cipher Suites registry).
    public let cipher: UInt16
    public let resumed: Bool
    /// What ALPN led to (RFC 7301); nil for none.
    public let applicationProtocol: String?

    package init(version: UInt16, cipher: UInt16, resumed: Bool, applicationProtocol: String? = nil) {
        self.version = version
        self.cipher = cipher
        self.resumed = resumed
        self.applicationProtocol = applicationProtocol
    }
}

/// Something a client can resume with; freed with its last reference.
public final class TLSTicket {
    public let raw: OpaquePointer
    private let free: (OpaquePointer) -> Void

    package init(_ raw: OpaquePointer, free: @escaping (OpaquePointer) -> Void) {
        self.raw = raw
        self.free = free
    }

    deinit { free(raw) }
}

/// Why a session failed.
public struct TLSFailure: Error, Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// What arrived is not TLS.
        case notTLS
        /// The peer speaks TLS, and no version that this end allows.
        case unsupportedVersion
        /// The peer knows TLS, but not our application protocol.
        case noApplicationProtocol
        /// The peer sent this alert (RFC 8446, 6.2).
        case alert(UInt8)
        /// The peer showed no certificate.
        case noCertificate
        /// `verifyPeer`, or the roots, refused the peer's certificates.
        case certificateRefused
        /// The session around this one ended before it: somebody cut it (RFC 8446, 6.1).
        case truncated
        case other
    }
    public let kind: Kind
    /// The library's words.
    public let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

/// One role of one identity: makes sessions, and works on them. Used by the thread that made it only.
///
/// Every call takes the wire that the session was opened on, so that a call needs nothing but
/// registers: no lookup, no lock, no allocation.
public protocol TLSContext: AnyObject {
    /// Opens a session.
    /// - Parameters:
    ///   - binding: On a server, what its tickets are bound to (at most 32 bytes); a ticket with another binding is not resumed.
    ///   - ticket: On a client, what to resume with.
    /// - Returns: nil when out of memory.
    func open(on wire: UnsafeMutablePointer<TLSWire>, binding: [UInt8], ticket: TLSTicket?) -> TLSHandle?
    func handshake(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) -> TLSStep
    func read(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, into buffer: UnsafeMutablePointer<UInt8>, capacity: Int
    ) -> TLSStep
    /// Writes all `count` bytes, which must be at most `TLSWire.plaintextSize`.
    func write(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, from buffer: UnsafePointer<UInt8>, count: Int
    ) -> TLSStep
    /// Says that nothing more will be written.
    func closeNotify(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>)
    /// Puts a fatal alert (RFC 8446, 6.2) on the wire; the session is of no use afterwards.
    func sendAlert(_ code: UInt8, _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>)
    func details(_ session: TLSHandle) -> TLSDetails
    /// The peer's certificates, DER, leaf first; also after a resumption.
    func peerChain(_ session: TLSHandle) -> [[UInt8]]
    func free(_ session: TLSHandle)

    // For sessions inside others; `EnvelopedContext`.

    /// Whether its sessions have another around them.
    var isEnvelope: Bool { get }
    /// Whether what is written after `closeNotify` still goes through this context.
    func stillSends(_ session: TLSHandle) -> Bool
    /// The peer has closed what `read` decrypted. Whether more comes through this context behind that.
    func leavesInner(_ session: TLSHandle) -> Bool
    /// False until the handshake of a session around this one is complete.
    func isEnveloped(_ session: TLSHandle) -> Bool
}

extension TLSContext {
    public var isEnvelope: Bool { false }
    public func stillSends(_ session: TLSHandle) -> Bool { false }
    public func leavesInner(_ session: TLSHandle) -> Bool { false }
    public func isEnveloped(_ session: TLSHandle) -> Bool { true }
}
