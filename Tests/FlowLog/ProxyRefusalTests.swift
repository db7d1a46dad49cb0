// What is counted of flows refused for their PROXY header.

import FlowLog
import Testing

struct ProxyRefusalTests {
    private func refused(_ reason: FlowReason, service: String? = "/demo/web") -> FlowRecord {
        var record = FlowRecord(side: .server, traceHigh: 0, traceLow: 0, start: 0, verdict: .refused)
        record.reason = reason
        record.service = service
        return record
    }

    @Test("refusals for the header are counted by service and reason, and nothing else is")
    func counted() throws {
        let log = try FlowLog(configuration: .init(), enforcer: "node-1", logger: RecordedLog().logger)
        defer { log.stop() }
        log.append([
            refused(.proxyHeaderMissing), refused(.proxyHeaderMissing), refused(.badProxyHeader), refused(.proxyHeaderUntrusted, service: nil),
            refused(.proxyHeaderTimeout, service: "/demo/a"), refused(.defaultReject), flow(1),
        ])
        log.flush()
        #expect(log.proxyRefusals == [
            .init(service: "", reason: .proxyHeaderUntrusted, count: 1), .init(service: "/demo/a", reason: .proxyHeaderTimeout, count: 1),
            .init(service: "/demo/web", reason: .badProxyHeader, count: 1), .init(service: "/demo/web", reason: .proxyHeaderMissing, count: 2),
        ])
    }

    @Test("what is older than an hour is forgotten")
    func forgotten() {
        var refusals = ProxyRefusals()
        for second in stride(from: Int64(0), to: 7200, by: 300) { refusals.count(refused(.badProxyHeader), at: second) }
        #expect(refusals.counts(at: 7199).map(\.count) == [12])
        #expect(refusals.counts(at: 7199 + 1800).map(\.count) == [6])
        #expect(refusals.counts(at: 7199 + 3600).isEmpty)
    }

    @Test("a flood of services takes no more room than is set, and makes way after an hour")
    func bounded() {
        var refusals = ProxyRefusals()
        for number in 0..<ProxyRefusals.maximumKeys + 100 { refusals.count(refused(.badProxyHeader, service: "/s/\(number)"), at: 0) }
        #expect(refusals.counts(at: 0).count == ProxyRefusals.maximumKeys)
        refusals.count(refused(.badProxyHeader, service: "/new"), at: 3600)
        #expect(refusals.counts(at: 3600).map(\.service) == ["/new"])
    }
}
