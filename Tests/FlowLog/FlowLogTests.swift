import FlowFormat
import FlowLog
import Foundation
import Linux
import Testing

struct FlowLogTests {
    private func log(_ configuration: FlowLogConfiguration = .init(), _ recorded: RecordedLog = RecordedLog()) throws -> FlowLog {
        try FlowLog(configuration: configuration, enforcer: "node-1", logger: recorded.logger)
    }

    @Test("a record becomes a line with the words of the documentation")
    func line() throws {
        let folder = try Folder()
        let log = try log(.init(path: folder.path("f")))
        var record = FlowRecord(
            side: .server, traceHigh: 0x0011_2233_4455_6677, traceLow: 0x8899_aabb_ccdd_eeff, start: 1_772_355_907_000_000_000,
            verdict: .refused)
        record.source = client
        record.destination = web
        record.sourceAddress = SocketAddress("192.0.2.7:40000")
        record.tcpPeer = SocketAddress("[2001:db8::7]:1234")
        record.dialled = SocketAddress("10.96.0.10:9376")
        record.reason = .rejectedByRule
        record.decidedBy = FlowRule(namespace: "/demo", ruleset: "web", rule: "no")
        record.encryption = .enforcer
        record.tlsVersion = 0x0304
        record.tlsCipher = 0x1301
        log.append([record])
        log.stop()
        let object = try #require(try JSONSerialization.jsonObject(with: Data(folder.read("f").utf8)) as? [String: Any])
        let expected: [String: Any] = [
            "startTime": "2026-03-01T09:05:07.000000000Z", "durationNanos": 0, "phase": "end", "side": "server",
            "enforcer": "node-1", "traceId": "00112233445566778899aabbccddeeff",
            "source": ["type": "processing-unit", "namespace": "/demo", "name": "client", "tags": ["app=client"]],
            "destination": ["type": "processing-unit", "namespace": "/demo", "name": "web", "tags": ["app=web"]],
            "sourceAddress": "192.0.2.7", "sourcePort": 40000, "tcpPeerAddress": "2001:db8::7", "tcpPeerPort": 1234,
            "dialledAddress": "10.96.0.10", "dialledPort": 9376, "protocol": "tcp", "verdict": "refused",
            "reason": "rejected-by-rule", "decidedBy": ["namespace": "/demo", "ruleset": "web", "rule": "no"],
            "encrypted": "enforcer", "tlsVersion": "TLSv1.3", "tlsCipher": "TLS_AES_128_GCM_SHA256", "tlsResumed": false,
            "bytesSent": 0, "bytesReceived": 0,
        ]
        #expect(NSDictionary(dictionary: object) == NSDictionary(dictionary: expected))
    }

    @Test("a line says nothing of the record before it")
    func nothingLeft() async throws {
        let folder = try Folder()
        let bare = FlowRecord(side: .client, traceHigh: 0, traceLow: 2, start: 2, verdict: .accepted)
        var full = FlowRecord(side: .server, traceHigh: 0, traceLow: 1, start: 1, verdict: .refused)
        (full.phase, full.duration, full.transport, full.targetPort, full.service) = (.start, 5, 17, 80, "/demo/web")
        (full.source, full.destination) = (client, web)
        (full.sourceAddress, full.tcpPeer, full.dialled) = (SocketAddress("192.0.2.7:1"), SocketAddress("192.0.2.8:2"), SocketAddress("192.0.2.9:3"))
        (full.reason, full.detail) = (.rejectedByRule, "why")
        let rule = FlowRule(namespace: "/demo", ruleset: "web", rule: "no")
        (full.decidedBy, full.peerDecidedBy, full.observed, full.observedVerdict) = (rule, rule, rule, .refused)
        (full.encryption, full.tlsVersion, full.tlsCipher, full.tlsResumed, full.peerSPIFFEID) = (.enforcer, 0x0304, 0x1301, true, "spiffe://demo/web")
        (full.bytesSent, full.bytesReceived, full.proxyProtocolVersion) = (7, 8, 2)
        full.proxyDetails = FlowProxyDetails(
            authority: "a", alpn: "h2", uniqueID: [1], tlsVersion: "TLSv1.3", clientCommonName: "c", vpcEndpointID: "v")
        for (name, records) in [("after", [full, bare]), ("alone", [bare])] {
            let log = try log(.init(path: folder.path(name)))
            log.append(records)
            log.flush()
            var shown = JSONText()
            for flow in try #require(await log.watch(since: 0, follow: false).next()).flows { shown.line(flow) }
            log.stop()
            // Watchers are told what the file says.
            #expect(try folder.read(name) == String(decoding: shown.bytes, as: UTF8.self))
        }
        #expect(try folder.read("after").split(separator: "\n").last == folder.read("alone").split(separator: "\n").last)
        #expect(try folder.read("after").contains("observedVerdict"))
    }

    @Test("records of many threads all arrive, each thread's in their order")
    func manyThreads() throws {
        let folder = try Folder()
        let log = try log(.init(path: folder.path("f"), maximumBytes: 0))
        let threads = try (0..<4).map { worker in
            try RunningThread(name: "worker") {
                for batch in 0..<100 { log.append(flows((0..<10).map { worker * 10_000 + batch * 10 + $0 })) }
            }
        }
        for thread in threads { thread.join() }
        log.stop()
        let written = try numbers(inLines: folder.read("f"))
        for worker in 0..<4 {
            #expect(written.filter { $0 / 10_000 == worker } == (0..<1000).map { worker * 10_000 + $0 })
        }
        #expect(log.counters.totalFlows == 4000)
    }

    @Test("a batch that the queue has no room for is dropped whole, counted and logged")
    func overflow() throws {
        let recorded = RecordedLog()
        let log = try log(.init(queuedRecords: 10), recorded)
        log.append(flows(0..<11))
        log.append(flows(0..<10))
        log.flush()
        #expect(log.counters.droppedByQueue == 11)
        #expect(log.counters.totalFlows == 10)
        #expect(recorded.messages == ["warning flow-records-dropped"])
        log.stop()
    }

    @Test("a silent record is counted, but neither written nor shown")
    func silent() async throws {
        let folder = try Folder()
        let log = try log(.init(path: folder.path("f")))
        var quiet = flow(1)
        quiet.isSilent = true
        log.append([quiet, flow(2)])
        log.stop()
        #expect(try numbers(inLines: folder.read("f")) == [2])
        #expect(await log.watch(since: 0, follow: false).all().numbers == [2])
        #expect(log.counters.totalFlows == 2)
    }

    @Test("a renamed file is left alone after reopen")
    func reopen() throws {
        let folder = try Folder()
        let log = try log(.init(path: folder.path("f")))
        log.append(flows(0..<1))
        log.flush()
        try FileManager.default.moveItem(atPath: folder.path("f"), toPath: folder.path("f.old"))
        log.reopen()
        log.append(flows(1..<2))
        log.stop()
        #expect(try numbers(inLines: folder.read("f.old")) == [0])
        #expect(try numbers(inLines: folder.read("f")) == [1])
    }

    @Test("a file that cannot be opened is logged once and opened when it can be; watchers miss nothing")
    func noFolder() async throws {
        let folder = try Folder()
        let recorded = RecordedLog()
        let log = try log(.init(path: folder.path("later/f")), recorded)
        for number in 0..<5 {
            log.append([flow(number)])
            log.flush()
        }
        #expect(mkdir(folder.path("later"), 0o700) == 0)
        log.append([flow(5)])
        log.flush()
        #expect(try numbers(inLines: folder.read("later/f")) == [5])
        #expect(log.counters.lostByFile == 5)
        #expect(recorded.messages == ["error flow-log-not-written", "notice flow-log-written-again"])
        #expect(await log.watch(since: 0, follow: false).all().numbers == [0, 1, 2, 3, 4, 5])
        log.stop()
    }

    @Test("flows are counted by verdict, reason and encryption, and only when they end")
    func counters() throws {
        let log = try log()
        var refused = flow(1)
        refused.verdict = .refused
        refused.reason = .defaultReject
        var start = flow(2)
        start.phase = .start
        var encrypted = flow(3)
        encrypted.encryption = .enforcer
        encrypted.bytesSent = 10
        encrypted.bytesReceived = 20
        log.append([refused, start, encrypted, encrypted])
        log.stop()
        #expect(log.counters.totalFlows == 3)
        #expect(log.counters.refusedFlows == 1)
        let family = try #require(log.metrics.first { $0.name == "sallyport_flows_total" })
        #expect(
            family.samples == [
                .init(2, labels: [.init("verdict", "accepted"), .init("reason", "none"), .init("encrypted", "enforcer")]),
                .init(1, labels: [.init("verdict", "refused"), .init("reason", "default-reject"), .init("encrypted", "no")]),
            ])
        #expect(log.counters.bytesSent == 20)
        #expect(log.counters.bytesReceived == 40)
    }

    @Test("after stop records are dropped and nothing waits")
    func stopped() async throws {
        let log = try log()
        let watcher = log.watch(since: 0, follow: true)
        log.stop()
        log.append([flow(1)])
        log.flush()
        log.stop()
        #expect(await watcher.next() == nil)
        #expect(log.counters.totalFlows == 0)
    }

    @Test(
        "a rule's path reads back",
        arguments: ["/#", "/demo/web#allow", "/demo/web##0", "/web#r", "/a/b/c#x/y#z", "/demo", "/"])
    func rulePath(_ path: String) throws {
        #expect(try #require(FlowRule(path: path)).path == (path == "/#" ? "/" : path))
    }

    @Test("a record is small enough to hold thousands")
    func size() { #expect(MemoryLayout<FlowRecord>.stride <= 384) }
}
