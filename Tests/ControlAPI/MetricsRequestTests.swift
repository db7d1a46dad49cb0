import ControlAPI
import Support
import Testing

struct MetricsRequestTests {
    private func steps(_ text: String, by size: Int) -> [MetricsRequestStep] {
        var request = MetricsRequest()
        let bytes = Array(text.utf8)
        return stride(from: 0, to: bytes.count, by: size).map { request.receive(bytes[$0..<min(bytes.count, $0 + size)]) }
    }

    @Test("a request is understood however it is cut, and not before its end")
    func cuts() {
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
        DecoderVerifier {
            var state = MetricsRequest()
            return { bytes in
                let step = state.receive(bytes)
                return step == .more ? [] : [step]
            }
        }.verify([(Array(request.utf8), [MetricsRequestStep.metrics(headOnly: false)])])
    }

    @Test(
        "each request has its answer",
        arguments: [
            ("GET /metrics HTTP/1.1\r\n\r\n", "200"), ("GET /metrics?x=1 HTTP/1.0\n\n", "200"), ("HEAD /metrics HTTP/1.1\r\n\r\n", "head"),
            ("GET / HTTP/1.1\r\n\r\n", "404"), ("GET /metrics/ HTTP/1.1\r\n\r\n", "404"), ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET /metrics\r\n\r\n", "400"), ("\r\n\r\n", "400"), ("GET  /metrics HTTP/1.1\r\n\r\n", "400"),
            ("\u{16}\u{3}\u{1}garbage\r\n\r\n", "400"),
        ])
    func answers(_ request: String, _ expected: String) {
        let steps = steps(request, by: 1000)
        #expect(steps.count == 1)
        switch steps.first {
        case .metrics(headOnly: let headOnly): #expect(expected == (headOnly ? "head" : "200"))
        case .refuse(let status, _): #expect(status.hasPrefix(expected))
        case .more, nil: Issue.record("no answer")
        }
    }

    @Test("a head without an end is refused at 8 KiB", arguments: [1, 100, 10_000])
    func tooLong(size: Int) {
        let steps = steps("GET /metrics HTTP/1.1\r\nX: " + String(repeating: "x", count: 9000), by: size)
        guard case .refuse(let status, _)? = steps.first(where: { $0 != .more }) else {
            Issue.record("never refused")
            return
        }
        #expect(status.hasPrefix("431"))
    }
}
