// A flow record as one line of JSON (docs/flow-log.md). The file and `sallyport flows -o json` share it.

import SallyportProtocol

/// The parts of a record that many records share, as text already: whoever writes many keeps them (`FlowJSONParts.endpoint`, `.rule`).
public struct FlowJSONParts {
    public var source, destination: [UInt8]
    /// nil for none.
    public var decidedBy, peerDecidedBy, observed: [UInt8]?

    public init(source: [UInt8], destination: [UInt8], decidedBy: [UInt8]?, peerDecidedBy: [UInt8]?, observed: [UInt8]?) {
        self.source = source
        self.destination = destination
        self.decidedBy = decidedBy
        self.peerDecidedBy = peerDecidedBy
        self.observed = observed
    }

    init(_ flow: Sallyport_Flow_V1_Flow) {
        source = FlowJSONParts.endpoint(flow.source)
        destination = FlowJSONParts.endpoint(flow.destination)
        decidedBy = flow.hasDecidedBy ? FlowJSONParts.rule(flow.decidedBy) : nil
        peerDecidedBy = flow.hasPeerDecidedBy ? FlowJSONParts.rule(flow.peerDecidedBy) : nil
        observed = flow.hasObserved ? FlowJSONParts.rule(flow.observed) : nil
    }

    public static func endpoint(_ endpoint: Sallyport_Flow_V1_Endpoint) -> [UInt8] {
        var json = JSONText()
        json.beginObject()
        json.field("type", endpoint.type.word)
        json.field("namespace", endpoint.namespace)
        json.field("name", endpoint.name)
        if !endpoint.tags.isEmpty {
            json.key("tags")
            json.beginArray()
            for tag in endpoint.tags { json.string(tag) }
            json.endArray()
        }
        json.endObject()
        return json.bytes
    }

    public static func rule(_ rule: Sallyport_Flow_V1_DecidedBy) -> [UInt8] {
        var json = JSONText()
        json.beginObject()
        json.field("namespace", rule.namespace)
        json.field("ruleset", rule.ruleset)
        json.field("rule", rule.rule)
        json.endObject()
        return json.bytes
    }
}

extension JSONText {
    /// Writes one record and ends the line. What a flow does not have is left out.
    public mutating func line(_ flow: Sallyport_Flow_V1_Flow) { line(flow, FlowJSONParts(flow)) }

    /// - Parameter parts: Take the place of the flow's own.
    public mutating func line(_ flow: Sallyport_Flow_V1_Flow, _ parts: FlowJSONParts) {
        beginObject()
        key("startTime")
        string(rfc3339(nanoseconds: flow.startTimeNanos))
        key("durationNanos")
        number(flow.durationNanos)
        field("phase", flow.phase.word)
        field("side", flow.side.word)
        field("enforcer", flow.enforcer)
        field("traceId", flow.traceID)
        part("source", parts.source)
        part("destination", parts.destination)
        address("sourceAddress", flow.sourceAddress, "sourcePort", flow.sourcePort)
        address("tcpPeerAddress", flow.tcpPeerAddress, "tcpPeerPort", flow.tcpPeerPort)
        address("dialledAddress", flow.dialledAddress, "dialledPort", flow.dialledPort)
        field("targetPort", UInt64(flow.targetPort))
        field("service", flow.service)
        field("protocol", flow.protocol == 17 ? "udp" : "tcp")
        field("verdict", flow.verdict.word)
        if flow.reason != .none { field("reason", flow.reason.word) }
        field("detail", flow.detail)
        if let rule = parts.decidedBy { part("decidedBy", rule) }
        if let rule = parts.peerDecidedBy { part("peerDecidedBy", rule) }
        if let rule = parts.observed {
            part("observed", rule)
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

    fileprivate mutating func field(_ name: StaticString, _ value: String) {
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

    private mutating func part(_ name: StaticString, _ json: [UInt8]) {
        key(name)
        value(json)
    }
}
