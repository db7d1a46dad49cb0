// The little of HTTP/1.1 that a scrape needs (RFC 9112): one request, its head, no body, one answer.

/// What to do after more bytes have come.
package enum MetricsRequestStep: Equatable {
    case more
    /// Send the metrics, or only the head of that answer.
    case metrics(headOnly: Bool)
    case refuse(status: String, text: String)
}

/// Reads the head of one request. A value without I/O.
package struct MetricsRequest {
    /// Prometheus sends some 300 bytes.
    private static let longestHead = 8 << 10

    private var head: [UInt8] = []

    package init() {}

    package mutating func receive(_ bytes: some Collection<UInt8>) -> MetricsRequestStep {
        head += bytes
        // Where the empty line may begin: before these bytes by at most its own length.
        let from = max(0, head.count - bytes.count - 3)
        guard let end = endOfHead(from: from) else {
            return head.count > MetricsRequest.longestHead
                ? .refuse(status: "431 Request Header Fields Too Large", text: "the request's head is too long\n") : .more
        }
        // What follows is no part of this request, and must not find its end a second time.
        defer { head = [] }
        return answer(head[..<end].prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") })
    }

    private func endOfHead(from start: Int) -> Int? {
        var index = start
        while let newline = head[index...].firstIndex(of: UInt8(ascii: "\n")) {
            let rest = head[(newline + 1)...]
            if rest.first == UInt8(ascii: "\n") || rest.starts(with: "\r\n".utf8) { return newline }
            index = newline + 1
        }
        return nil
    }

    private func answer(_ line: ArraySlice<UInt8>) -> MetricsRequestStep {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, words[2].starts(with: "HTTP/1.".utf8) else {
            return .refuse(status: "400 Bad Request", text: "this is no HTTP/1.1 request\n")
        }
        let path = words[1].prefix { $0 != UInt8(ascii: "?") }
        guard path.elementsEqual("/metrics".utf8) else {
            return .refuse(status: "404 Not Found", text: "the metrics are at /metrics\n")
        }
        if words[0].elementsEqual("GET".utf8) { return .metrics(headOnly: false) }
        if words[0].elementsEqual("HEAD".utf8) { return .metrics(headOnly: true) }
        return .refuse(status: "405 Method Not Allowed", text: "only GET and HEAD\n")
    }
}

/// An answer, whole. The connection is closed after it.
func metricsResponse(status: String, text: String, headOnly: Bool = false) -> [UInt8] {
    let type = status.hasPrefix("200") ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8"
    let allow = status.hasPrefix("405") ? "Allow: GET, HEAD\r\n" : ""
    let head = "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(text.utf8.count)\r\n\(allow)Connection: close\r\n\r\n"
    return Array(head.utf8) + (headOnly ? [] : Array(text.utf8))
}
