import FlowFormat
import Foundation
import SallyportProtocol
import Testing

struct FlowJSONTests {
    private func line(_ flow: Sallyport_Flow_V1_Flow) throws -> [String: Any] {
        var json = JSONText()
        json.line(flow)
        #expect(json.bytes.last == UInt8(ascii: "\n"))
        #expect(json.bytes.dropLast().allSatisfy { $0 >= 0x20 })
        return try #require(try JSONSerialization.jsonObject(with: Data(json.bytes)) as? [String: Any])
    }

    @Test("a full record has every field under its name")
    func full() throws {
        let object = try line(
            .with {
                $0.traceID = "00112233445566778899aabbccddeeff"
                $0.startTimeNanos = 1_772_355_907_123_456_789
                $0.durationNanos = 14_000_000
                $0.enforcer = "node-1"
                $0.side = .client
                $0.source = .with {
                    $0.type = .processingUnit
                    $0.namespace = "/demo"
                    $0.name = "client"
                    $0.tags = ["app=client", "$name=client"]
                }
                $0.destination = .with { $0.type = .externalNetwork }
                $0.sourceAddress = "10.0.0.2"
                $0.sourcePort = 40000
                $0.tcpPeerAddress = "2001:db8::1"
                $0.tcpPeerPort = 1
                $0.dialledAddress = "10.96.0.10"
                $0.dialledPort = 9376
                $0.targetPort = 80
                $0.service = "/demo/web"
                $0.protocol = 6
                $0.verdict = .refused
                $0.reason = .rejectedByRule
                $0.detail = "connection refused"
                $0.decidedBy = .with {
                    $0.namespace = "/demo"
                    $0.ruleset = "web"
                    $0.rule = "#0"
                }
                $0.peerDecidedBy = .with { $0.namespace = "/" }
                $0.observed = .with { $0.ruleset = "try" }
                $0.observedVerdict = .accepted
                $0.encrypted = .enforcer
                $0.tlsVersion = "TLSv1.3"
                $0.tlsCipher = "TLS_AES_128_GCM_SHA256"
                $0.tlsResumed = true
                $0.peerSpiffeID = "spiffe://demo/ns/demo/pu/web-1"
                $0.bytesSent = 1200
                $0.bytesReceived = .max
                $0.proxyProtocolVersion = 2
            })
        let expected: [String: Any] = [
            "startTime": "2026-03-01T09:05:07.123456789Z", "durationNanos": 14_000_000, "phase": "end", "side": "client",
            "enforcer": "node-1", "traceId": "00112233445566778899aabbccddeeff",
            "source": ["type": "processing-unit", "namespace": "/demo", "name": "client", "tags": ["app=client", "$name=client"]],
            "destination": ["type": "external-network"],
            "sourceAddress": "10.0.0.2", "sourcePort": 40000, "tcpPeerAddress": "2001:db8::1", "tcpPeerPort": 1,
            "dialledAddress": "10.96.0.10", "dialledPort": 9376, "targetPort": 80, "service": "/demo/web", "protocol": "tcp",
            "verdict": "refused", "reason": "rejected-by-rule", "detail": "connection refused",
            "decidedBy": ["namespace": "/demo", "ruleset": "web", "rule": "#0"], "peerDecidedBy": ["namespace": "/"],
            "observed": ["ruleset": "try"], "observedVerdict": "accepted", "encrypted": "enforcer", "tlsVersion": "TLSv1.3",
            "tlsCipher": "TLS_AES_128_GCM_SHA256", "tlsResumed": true, "peerSpiffeId": "spiffe://demo/ns/demo/pu/web-1",
            "bytesSent": 1200, "bytesReceived": UInt64.max, "proxyProtocolVersion": 2,
        ]
        #expect(NSDictionary(dictionary: object) == NSDictionary(dictionary: expected))
    }

    @Test("a record with nothing in it is an object with what every flow has")
    func empty() throws {
        let names = try line(Sallyport_Flow_V1_Flow()).keys.sorted()
        #expect(
            names == [
                "bytesReceived", "bytesSent", "destination", "durationNanos", "encrypted", "phase", "protocol", "side", "source",
                "startTime", "verdict",
            ])
    }

    @Test("any character in a name survives: controls, quotes, and all of Unicode")
    func escapes() throws {
        var name = ""
        for value in (0..<0x300).map(UInt32.init) + [0x2028, 0x2029, 0xfeff, 0xffff, 0x1f512, 0x10ffff] {
            if let scalar = Unicode.Scalar(value) { name.unicodeScalars.append(scalar) }
        }
        let object = try line(
            .with {
                $0.detail = name
                $0.source.tags = ["", "\"", "\\", "\u{0}", "\u{1b}[31m", name]
            })
        // By scalars: Swift's == takes canonically equal strings for the same.
        #expect((object["detail"] as? String)?.unicodeScalars.elementsEqual(name.unicodeScalars) == true)
        let tags = (object["source"] as? [String: Any])?["tags"] as? [String]
        #expect(tags == ["", "\"", "\\", "\u{0}", "\u{1b}[31m", name])
    }

    @Test("numbers at their ends are written whole")
    func numbers() throws {
        var json = JSONText()
        json.beginArray()
        for value in [Int64.min, -1, 0, 10, .max] { json.number(value) }
        json.number(UInt64.max)
        json.boolean(false)
        json.endArray()
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == "[-9223372036854775808,-1,0,10,9223372036854775807,18446744073709551615,false]")
    }
}
