// The ports of a rule: "tcp/80", "tcp/8000:8080", "udp/53", "any".

/// Which ports of which transport a rule covers.
public struct PortRange: Sendable, Hashable {
    public enum Transport: String, Sendable { case tcp, udp }

    /// nil for `any`.
    public let transport: Transport?
    public let ports: ClosedRange<UInt16>

    public static let any = PortRange(transport: nil, ports: 0...UInt16.max)

    private init(transport: Transport?, ports: ClosedRange<UInt16>) {
        self.transport = transport
        self.ports = ports
    }

    public init(_ text: String) throws(SyntaxProblem) {
        if text == "any" {
            self = .any
            return
        }
        let forms = "write tcp/80, tcp/8000:8080, udp/53 or any"
        guard let slash = text.firstIndex(of: "/") else { throw SyntaxProblem("\(quoted(text)) is no port; \(forms)") }
        guard let transport = Transport(rawValue: String(text[..<slash])) else {
            throw SyntaxProblem("\(quoted(text[..<slash])) is neither tcp nor udp; \(forms)")
        }
        let bounds = text[text.index(after: slash)...].split(separator: ":", omittingEmptySubsequences: false)
        guard let low = bounds.first, let high = bounds.last, bounds.count <= 2 else {
            throw SyntaxProblem("\(quoted(text)) is no port; \(forms)")
        }
        let first = try PortRange.port(low, in: text)
        let last = try PortRange.port(high, in: text)
        guard first <= last else { throw SyntaxProblem("\(quoted(text)) runs backwards; write \(transport)/\(last):\(first)") }
        self.init(transport: transport, ports: first...last)
    }

    public func covers(_ other: PortRange) -> Bool {
        (transport == nil || transport == other.transport)
            && ports.lowerBound <= other.ports.lowerBound && ports.upperBound >= other.ports.upperBound
    }

    private static func port(_ digits: Substring, in text: String) throws(SyntaxProblem) -> UInt16 {
        guard digits.utf8.allSatisfy(isDigit), let port = UInt16(digits), port > 0 else {
            throw SyntaxProblem("\(quoted(digits)) in \(quoted(text)) is no port from 1 to 65535")
        }
        return port
    }
}
