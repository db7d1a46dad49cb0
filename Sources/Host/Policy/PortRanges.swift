// The ports of a rule, as far as TCP flows are concerned.

/// Inclusive ranges of TCP ports.
struct PortRanges: Hashable, Sendable {
    private(set) var ranges: [ClosedRange<UInt16>] = []

    /// From "tcp/80", "tcp/8000:8080", "any". "udp/…" covers no TCP port. Anything else covers nothing.
    init(_ ports: [String]) {
        for port in ports {
            if port == "any" {
                ranges = [0...UInt16.max]
                return
            }
            guard port.hasPrefix("tcp/") else { continue }
            let bounds = port.dropFirst(4).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { UInt16($0) }
            guard let low = bounds[0], let high = bounds.last ?? nil, low <= high else { continue }
            ranges.append(low...high)
        }
    }

    func covers(_ ports: FlowPorts) -> Bool {
        ranges.contains { $0.contains(ports.target) || $0.contains(ports.dialled) }
    }
}
