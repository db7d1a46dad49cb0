// One flow as one line for people.

import FlowFormat
import Linux
import SallyportProtocol

struct FlowLine {
    let terminal: Terminal

    /// "12:01:03 ✓ 🔒 /demo/client → /demo/web-1  web:9376→80  1.2 kB/612 B  14 ms  allow-web"
    func short(_ flow: Sallyport_Flow_V1_Flow) -> String {
        var parts = [flow.serviceName]
        if flow.verdict == .accepted && flow.phase == .end {
            parts.append("\(bytes(flow.bytesSent))/\(bytes(flow.bytesReceived))")
            parts.append(duration(nanoseconds: flow.durationNanos))
        }
        if flow.phase == .start { parts.append("open") }
        parts.append(terminal.styled(why(flow), flow.verdict == .refused ? .bad : .dim))
        let clock = localTime(flow.startTimeNanos)
        let line = parts.filter { !$0.isEmpty }.joined(separator: "  ")
        return "\(clock.time) \(mark(flow)) \(lock(flow)) \(flow.sourceName) → \(flow.destinationName)  \(line)"
    }

    /// Everything a record has but its tags, which are in -o json.
    func wide(_ flow: Sallyport_Flow_V1_Flow) -> String {
        let clock = localTime(flow.startTimeNanos)
        let milliseconds = String(1000 + abs(flow.startTimeNanos / 1_000_000 % 1000)).dropFirst()
        var line = "\(clock.date) \(clock.time).\(milliseconds) \(mark(flow)) \(lock(flow)) \(flow.sourceName) → \(flow.destinationName)"
        func add(_ name: String, _ value: String) {
            if !value.isEmpty { line += "  \(terminal.styled(name + "=", .dim))\(printable(value))" }
        }
        add("phase", flow.phase.word)
        add("side", flow.side.word)
        add("service", flow.service)
        add("source", socketAddress(flow.sourceAddress, flow.sourcePort))
        if flow.tcpPeerAddress != flow.sourceAddress || flow.tcpPeerPort != flow.sourcePort {
            add("peer", socketAddress(flow.tcpPeerAddress, flow.tcpPeerPort))
        }
        add("dialled", socketAddress(flow.dialledAddress, flow.dialledPort))
        add("target", flow.targetPort == 0 ? "" : "\(flow.targetPort)")
        add("protocol", flow.protocol == 17 ? "udp" : "tcp")
        add("reason", flow.reason == .none ? "" : flow.reason.word)
        add("detail", flow.detail)
        add("rule", flow.hasDecidedBy ? flow.decidedBy.line : "")
        add("peer-rule", flow.hasPeerDecidedBy ? flow.peerDecidedBy.line : "")
        add("observed", flow.hasObserved ? "\(flow.observedVerdict.word) by \(flow.observed.line)" : "")
        add("encrypted", flow.encrypted.word)
        add("tls", flow.tlsVersion.isEmpty ? "" : "\(flow.tlsVersion)/\(flow.tlsCipher)\(flow.tlsResumed ? "/resumed" : "")")
        add("spiffe", flow.peerSpiffeID)
        add("proxy", flow.proxyProtocolVersion == 0 ? "" : "v\(flow.proxyProtocolVersion)")
        add("sent", "\(flow.bytesSent)")
        add("received", "\(flow.bytesReceived)")
        add("duration", duration(nanoseconds: flow.durationNanos))
        add("trace", flow.traceID)
        return line
    }

    private func mark(_ flow: Sallyport_Flow_V1_Flow) -> String {
        flow.verdict == .accepted ? terminal.styled("✓", .good) : terminal.styled("✗", .bad)
    }

    /// As wide as the lock where there is none.
    private func lock(_ flow: Sallyport_Flow_V1_Flow) -> String { flow.isEncrypted ? "🔒" : "  " }

    /// The rule that decided, and the reason where there is one.
    private func why(_ flow: Sallyport_Flow_V1_Flow) -> String {
        var words: [String] = []
        if flow.reason != .none { words.append(flow.reason.word) }
        // The peer's refusal is decided by the peer's rule.
        let rule = flow.reason == .refusedByPeer && flow.hasPeerDecidedBy ? flow.peerDecidedBy : flow.decidedBy
        if !rule.ruleset.isEmpty {
            words.append(printable(rule.rule.first == "#" ? rule.ruleset + rule.rule : rule.rule))
        } else if flow.reason != .defaultReject && !rule.namespace.isEmpty {
            words.append(rule.line)
        }
        if !flow.detail.isEmpty { words.append("(\(printable(flow.detail)))") }
        return words.joined(separator: " ")
    }

    private func socketAddress(_ address: String, _ port: UInt32) -> String {
        address.isEmpty ? "" : address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

/// A time in the operator's zone: "2026-03-01" and "12:01:03".
private func localTime(_ nanoseconds: Int64) -> (date: String, time: String) {
    var seconds = time_t(nanoseconds / 1_000_000_000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return (
        "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))",
        "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    )
}
