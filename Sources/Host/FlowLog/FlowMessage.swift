// From what the data path noted to the message that files and watchers show.

import Linux
import SallyportProtocol

extension Sallyport_Flow_V1_Flow {
    /// - Parameter enforcer: The name of this enforcer.
    init(_ record: FlowRecord, enforcer: String) {
        self.init()
        traceID = hexadecimal(record.traceHigh, record.traceLow)
        phase = record.phase
        startTimeNanos = record.start
        durationNanos = record.duration
        self.enforcer = enforcer
        side = record.side

        source = record.source.endpoint
        destination = record.destination.endpoint
        if let address = record.sourceAddress { (sourceAddress, sourcePort) = address.parts }
        if let peer = record.tcpPeer {
            (tcpPeerAddress, tcpPeerPort) = peer == record.sourceAddress ? (sourceAddress, sourcePort) : peer.parts
        }
        if let dialled = record.dialled { (dialledAddress, dialledPort) = dialled.parts }
        targetPort = UInt32(record.targetPort)
        if let path = record.service { service = path }
        `protocol` = UInt32(record.transport)

        verdict = record.verdict
        reason = record.reason
        if let words = record.detail { detail = words }
        if let rule = record.decidedBy { decidedBy = rule.decidedBy }
        if let rule = record.peerDecidedBy { peerDecidedBy = rule.decidedBy }
        if let rule = record.observed {
            observed = rule.decidedBy
            observedVerdict = record.observedVerdict
        }

        encrypted = record.encryption
        if record.tlsVersion != 0 {
            tlsVersion = tlsVersionName(record.tlsVersion)
            tlsCipher = tlsCipherName(record.tlsCipher)
            tlsResumed = record.tlsResumed
        }
        if let identity = record.peerSPIFFEID { peerSpiffeID = identity }

        bytesSent = record.bytesSent
        bytesReceived = record.bytesReceived
        proxyProtocolVersion = UInt32(record.proxyProtocolVersion)
        if let details = record.proxyDetails { proxyProtocol = details.message }
    }
}

extension SocketAddress {
    fileprivate var parts: (String, UInt32) { (address.description, UInt32(port)) }
}

private func hexadecimal(_ high: UInt64, _ low: UInt64) -> String {
    String(unsafeUninitializedCapacity: 32) { text in
        for place in 0..<32 {
            let word = place < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (place % 16))) & 15
            text[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        }
        return 32
    }
}
