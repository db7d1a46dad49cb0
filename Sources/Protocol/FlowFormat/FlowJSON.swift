// A flow record as one line of JSON (docs/flow-log.md). The file and `sallyport flows -o json` share it.

import SallyportProtocol

extension JSONText {
    /// Writes one record and ends the line. What a flow does not have is left out.
    public mutating func line(_ flow: Sallyport_Flow_V1_Flow) {
        beginObject()
        key("startTime")
        string(rfc3339(nanoseconds: flow.startTimeNanos))
        key("durationNanos")
        number(flow.durationNanos)
        field("phase", flow.phase.word)
        field("side", flow.side.word)
        field("enforcer", flow.enforcer)
        field("traceId", flow.traceID)
        endpoint("source", flow.source)
        endpoint("destination", flow.destination)
        address("sourceAddress", flow.sourceAddress, "sourcePort", flow.sourcePort)
        address("tcpPeerAddress", flow.tcpPeerAddress, "tcpPeerPort", flow.tcpPeerPort)
        address("dialledAddress", flow.dialledAddress, "dialledPort", flow.dialledPort)
        field("targetPort", UInt64(flow.targetPort))
        field("service", flow.service)
        field("protocol", flow.protocol == 17 ? "udp" : "tcp")
        field("verdict", flow.verdict.word)
        if flow.reason != .none { field("reason", flow.reason.word) }
        field("detail", flow.detail)
        if flow.hasDecidedBy { rule("decidedBy", flow.decidedBy) }
        if flow.hasPeerDecidedBy { rule("peerDecidedBy", flow.peerDecidedBy) }
        if flow.hasObserved {
            rule("observed", flow.observed)
            field("observedVerdict", flow.observedVerdict.word)
        }
        field("encrypted", flow.encrypted.word)
        field("tlsVersion", flow.tlsVersion)
        field("tlsCipher", flow.tlsCipher)
        if !flow.tlsVersion.isEmpty {
            key("tlsResumed")
            boolean(flow.tlsResumed)
        }
        field("peerSpiffeId", flow.peerSpiffeID)
        key("bytesSent")
        number(flow.bytesSent)
        key("bytesReceived")
        number(flow.bytesReceived)
        field("proxyProtocolVersion", UInt64(flow.proxyProtocolVersion))
        endObject()
        endLine()
    }

    private mutating func field(_ name: StaticString, _ value: String) {
        guard !value.isEmpty else { return }
        key(name)
        string(value)
    }

    private mutating func field(_ name: StaticString, _ value: UInt64) {
        guard value != 0 else { return }
        key(name)
        number(value)
    }

    private mutating func address(_ name: StaticString, _ address: String, _ portName: StaticString, _ port: UInt32) {
        guard !address.isEmpty else { return }
        field(name, address)
        key(portName)
        number(UInt64(port))
    }

    private mutating func endpoint(_ name: StaticString, _ endpoint: Sallyport_Flow_V1_Endpoint) {
        key(name)
        beginObject()
        field("type", endpoint.type.word)
        field("namespace", endpoint.namespace)
        field("name", endpoint.name)
        if !endpoint.tags.isEmpty {
            key("tags")
            beginArray()
            for tag in endpoint.tags { string(tag) }
            endArray()
        }
        endObject()
    }

    private mutating func rule(_ name: StaticString, _ rule: Sallyport_Flow_V1_DecidedBy) {
        key(name)
        beginObject()
        field("namespace", rule.namespace)
        field("ruleset", rule.ruleset)
        field("rule", rule.rule)
        endObject()
    }
}
