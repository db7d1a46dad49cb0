// From what the data path noted to the message that files and watchers show.

import FlowFormat
import Linux
import SallyportProtocol

extension Sallyport_Flow_V1_Flow {
    /// - Parameter enforcer: The name of this enforcer.
    init(_ record: FlowRecord, enforcer: String) {
        self.init()
        self.enforcer = enforcer
        source = record.source.endpoint
        destination = record.destination.endpoint
        if let rule = record.decidedBy { decidedBy = rule.decidedBy }
        if let rule = record.peerDecidedBy { peerDecidedBy = rule.decidedBy }
        if let rule = record.observed { observed = rule.decidedBy }
        show(record)
    }

    /// Says of `record` all but the enforcer's name and what many records share (`FlowJSONParts`), and nothing any more of what it showed before: filling a message
    /// costs less than making one.
    mutating func show(_ record: FlowRecord) {
        traceID = hexadecimal(record.traceHigh, record.traceLow)
        phase = record.phase
        startTimeNanos = record.start
        durationNanos = record.duration
        side = record.side

        let address = record.sourceAddress.parts
        (sourceAddress, sourcePort) = address
        (tcpPeerAddress, tcpPeerPort) = record.tcpPeer == record.sourceAddress ? address : record.tcpPeer.parts
        (dialledAddress, dialledPort) = record.dialled.parts
        targetPort = UInt32(record.targetPort)
        service = record.service ?? ""
        `protocol` = UInt32(record.transport)

        verdict = record.verdict
        reason = record.reason
        detail = record.detail ?? ""
        observedVerdict = record.observedVerdict

        encrypted = record.encryption
        let isTLS = record.tlsVersion != 0
        tlsVersion = isTLS ? tlsVersionName(record.tlsVersion) : ""
        tlsCipher = isTLS ? tlsCipherName(record.tlsCipher) : ""
        tlsResumed = record.tlsResumed
        peerSpiffeID = record.peerSPIFFEID ?? ""

        bytesSent = record.bytesSent
        bytesReceived = record.bytesReceived
        proxyProtocolVersion = UInt32(record.proxyProtocolVersion)
        if let details = record.proxyDetails { proxyProtocol = details.message } else { clearProxyProtocol() }
    }
}

extension FlowJSONParts {
    init(_ record: FlowRecord) {
        self.init(
            source: record.source.json, destination: record.destination.json, decidedBy: record.decidedBy?.json,
            peerDecidedBy: record.peerDecidedBy?.json, observed: record.observed?.json)
    }
}

extension SocketAddress? {
    /// Empty and 0 for none, as the protocol has it.
    fileprivate var parts: (String, UInt32) { map { ($0.address.description, UInt32($0.port)) } ?? ("", 0) }
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
