// What the data path says about one flow: numbers and references, no text made for it.

import Linux
import SallyportProtocol

public typealias FlowPhase = Sallyport_Flow_V1_Phase
public typealias FlowSide = Sallyport_Flow_V1_Side
public typealias FlowVerdict = Sallyport_Flow_V1_Verdict
public typealias FlowReason = Sallyport_Flow_V1_Reason
public typealias FlowEncryption = Sallyport_Flow_V1_Encryption

/// One flow, or its start, as one side saw it. Cheap to make on a worker thread; turned into text on the log's own.
public struct FlowRecord: Sendable {
    public var phase: FlowPhase = .end
    public var side: FlowSide
    /// The flow's 16-byte id, the same at both ends, as two big-endian halves.
    public var traceHigh: UInt64
    public var traceLow: UInt64
    /// Nanoseconds of CLOCK_REALTIME.
    public var start: Int64
    /// Nanoseconds of CLOCK_MONOTONIC since the start.
    public var duration: Int64 = 0

    public var source: FlowParty = .unknown
    public var destination: FlowParty = .unknown
    /// The address the user cares about: after PROXY protocol, else the TCP peer's.
    public var sourceAddress: SocketAddress?
    public var tcpPeer: SocketAddress?
    public var dialled: SocketAddress?
    public var targetPort: UInt16 = 0
    /// "NAMESPACE/NAME" of the service, or nil for none.
    public var service: String?
    /// IPPROTO_TCP or IPPROTO_UDP.
    public var transport: UInt8 = 6

    public var verdict: FlowVerdict
    public var reason: FlowReason = .none
    /// More about the reason: the system's or the TLS library's words.
    public var detail: String?
    public var decidedBy: FlowRule?
    public var peerDecidedBy: FlowRule?
    /// What `observe` rules would have done.
    public var observed: FlowRule?
    public var observedVerdict: FlowVerdict = .unspecified

    public var encryption: FlowEncryption = .no
    /// The TLS version's number on the wire, 0x0304 for TLS 1.3 (RFC 8446, 4.1.2); 0 for none.
    public var tlsVersion: UInt16 = 0
    /// The cipher suite's number (IANA's TLS Cipher Suites registry); 0 for none.
    public var tlsCipher: UInt16 = 0
    public var tlsResumed = false
    public var peerSPIFFEID: String?

    /// Application bytes, from the source's point of view.
    public var bytesSent: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    /// 1 or 2; 0 if there was no PROXY header.
    public var proxyProtocolVersion: UInt8 = 0
    public var proxyDetails: FlowProxyDetails?
    /// The rule that decided says `logs: false`: counted, but neither written nor shown.
    public var isSilent = false

    public init(side: FlowSide, traceHigh: UInt64, traceLow: UInt64, start: Int64, verdict: FlowVerdict) {
        self.side = side
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.start = start
        self.verdict = verdict
    }
}
