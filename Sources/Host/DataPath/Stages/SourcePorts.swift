// Source ports of what is dialled, where a unit has so many connections that free ones are far between.

import Linux

/// The ports that connect(2) chooses from in a network namespace.
struct SourcePorts {
    let range: ClosedRange<UInt16>
    /// When to look again, ns.
    let until: UInt64

    /// Those of the calling thread's namespace: ip(7), ip_local_port_range. nil if they cannot be read.
    init?(until: UInt64) {
        guard let file = try? Descriptor(opening: "/proc/sys/net/ipv4/ip_local_port_range", flags: O_RDONLY) else { return nil }
        let text = String(unsafeUninitializedCapacity: 32) { max(0, read(file.raw, $0.baseAddress, $0.count)) }
        let ends = text.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        guard ends.count == 2, ends[0] <= ends[1] else { return nil }
        range = ends[0]...ends[1]
        self.until = until
    }
}

extension Worker {
    /// Live flows of a unit from which on its dials take their port from a window.
    private static let crowd = 2048
    /// So few ports are looked at in no time, and so many have a free one until nearly all are taken.
    private static let window: UInt16 = 128

    /// connect(2), which chooses a source port if the socket has none.
    /// - Returns: 0 if the connection stands, else errno: EINPROGRESS if it is being made.
    func connect(_ fd: Int32, to target: SocketAddress, for unit: UnitState) -> Int32 {
        let isNarrow = unit.liveFlows >= Worker.crowd && narrowPorts(fd, unit)
        let code = connect(fd, to: target)
        guard isNarrow && code == EADDRNOTAVAIL else { return code }
        // None in the window is free: any other.
        set(fd, Int32(IPPROTO_IP), Int32(CLINUX_IP_LOCAL_PORT_RANGE), 0)
        return connect(fd, to: target)
    }

    private func connect(_ fd: Int32, to target: SocketAddress) -> Int32 {
        var (raw, length) = target.raw
        let result = withUnsafePointer(to: &raw) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(fd, $0, length) }
        }
        return result == 0 ? 0 : clinux_errno()
    }

    /// Has connect(2) look for a port among few, anywhere in the range. By itself it tries every second port of the range first, and the others when all of
    /// those are taken: with half the ports towards a target in use that is some 2 ms for each dial (docs/performance.md), in which the worker does
    /// nothing else. Linux 6.3; before, nothing changes.
    /// - Returns: Whether it does.
    private func narrowPorts(_ fd: Int32, _ unit: UnitState) -> Bool {
        if unit.sourcePorts.map({ $0.until <= now }) ?? true { unit.sourcePorts = SourcePorts(until: now &+ 1_000_000_000) }
        guard let range = unit.sourcePorts?.range, range.upperBound - range.lowerBound >= Worker.window else { return false }
        let lastFirst = range.upperBound - (Worker.window - 1)
        let first = range.lowerBound + UInt16(truncatingIfNeeded: random.next() % UInt64(lastFirst - range.lowerBound + 1))
        return set(fd, Int32(IPPROTO_IP), Int32(CLINUX_IP_LOCAL_PORT_RANGE), Int32(bitPattern: UInt32(first + (Worker.window - 1)) << 16 | UInt32(first)))
    }
}
