// From a dialled address to services: of all services for all PUs, one table. Who sees what is asked afterwards.

import Linux

/// An address block and a port.
struct BlockKey: FlatKey {
    var high: UInt64
    var low: UInt64
    var prefix: UInt16
    var port: UInt16

    init(_ cidr: CIDR, _ port: UInt16) {
        high = cidr.base.high
        low = cidr.base.low
        prefix = UInt16(truncatingIfNeeded: cidr.prefix)
        self.port = port
    }

    init(_ address: IPAddress, _ port: UInt16) {
        high = address.high
        low = address.low
        prefix = 128
        self.port = port
    }

    var scrambled: UInt64 { scramble(scramble(high) ^ low ^ UInt64(prefix) << 48 ^ UInt64(port) << 32) }
}

struct FrontendTable: Sendable {
    private(set) var services = MultiTable<BlockKey, Int32>()
    /// How many entries there are of each prefix length.
    private var population = [Int32](repeating: 0, count: 129)
    /// The prefix lengths in use, longest first.
    private(set) var prefixes: [Int] = []

    mutating func insert(_ cidr: CIDR, _ port: UInt16, _ service: Int32) {
        services.insert(BlockKey(cidr, port), service)
        population[cidr.prefix] += 1
        if population[cidr.prefix] == 1 { prefixes = population.indices.reversed().filter { population[$0] > 0 } }
    }

    mutating func remove(_ cidr: CIDR, _ port: UInt16, _ service: Int32) {
        guard services.remove(BlockKey(cidr, port), service) else { return }
        population[cidr.prefix] -= 1
        if population[cidr.prefix] == 0 { prefixes.removeAll { $0 == cidr.prefix } }
    }

    /// The services with exactly this frontend.
    @inline(__always)
    func forEach(_ cidr: CIDR, _ port: UInt16, _ body: (Int32) -> Void) { services.forEach(BlockKey(cidr, port), body) }

    /// Whether `cidr` may lie in a block with this prefix; IPv4 is never in a block of IPv6.
    @inline(__always)
    func isWithin(_ cidr: CIDR, _ prefix: Int) -> Bool { prefix <= cidr.prefix && (prefix >= 96 || !cidr.isV4) }

    /// Calls `body` with each service that has a frontend on `port` around `cidr`, and the block of it.
    func forEach(around cidr: CIDR, _ port: UInt16, _ body: (CIDR, Int32) -> Void) {
        for prefix in prefixes where isWithin(cidr, prefix) {
            let block = CIDR(cidr.base, prefix: prefix)
            services.forEach(BlockKey(block, port)) { body(block, $0) }
        }
    }
}
