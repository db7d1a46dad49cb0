// Who has an address, by binary search: blocks either nest or are apart, so all of them together cut the addresses into
// ranges with one answer each.

import Linux

struct AddressRanges: Sendable {
    /// Somebody with blocks of addresses, and with blocks taken out of these.
    struct Owner {
        let number: Int32
        let included: [CIDR]
        let excluded: [CIDR]
    }

    struct Match: BitwiseCopyable, Sendable {
        /// The owner's number; -1 where nobody has the address.
        var network: Int32
        /// The length of the prefix that matched, of 128.
        var prefix: Int32

        static let none = Match(network: -1, prefix: -1)

        /// Whether it says anything of `address`: that all addresses of the family have is no more than nothing.
        func isNarrow(around address: IPAddress) -> Bool { prefix > (address.isV4 ? 96 : 0) }
    }

    /// Where each range begins, rising; it ends before the next one. IPv4 apart, since it is most of them: 4 bytes each.
    private let v4Starts: [UInt32]
    private let v4Matches: [Match]
    private let v6Starts: [IPAddress]
    private let v6Matches: [Match]

    /// - Parameter owners: Of those with the same block the first wins.
    init(_ owners: some Sequence<Owner>) {
        var v4 = RangeCutter()
        var v6 = RangeCutter()
        func add(_ cidr: CIDR, _ number: Int32, isExcluded: Bool) {
            if cidr.isV4 { v4.add(cidr, number, isExcluded: isExcluded) } else { v6.add(cidr, number, isExcluded: isExcluded) }
        }
        for owner in owners {
            for cidr in owner.included { add(cidr, owner.number, isExcluded: false) }
            for cidr in owner.excluded { add(cidr, owner.number, isExcluded: true) }
        }
        // What begins behind the last IPv4 address is no range of theirs.
        let v4Ranges = v4.ranges().filter(\.start.isV4)
        let v6Ranges = v6.ranges()
        v4Starts = v4Ranges.map { UInt32(truncatingIfNeeded: $0.start.low) }
        v4Matches = v4Ranges.map(\.match)
        v6Starts = v6Ranges.map(\.start)
        v6Matches = v6Ranges.map(\.match)
    }

    /// The owner with the longest prefix around an address, exclusions left out.
    func find(_ address: IPAddress) -> Match {
        let index =
            address.isV4
            ? v4Starts.partition(UInt32(truncatingIfNeeded: address.low)) : v6Starts.partition(address)
        guard index >= 0 else { return .none }
        return address.isV4 ? v4Matches[index] : v6Matches[index]
    }
}

extension Array where Element: Comparable {
    /// The index of the last element that is not above `value` in a sorted array; -1 if all are.
    @inline(__always)
    fileprivate func partition(_ value: Element) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] <= value { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }
}

/// Cuts blocks that nest into ranges, each with the innermost network that has it.
private struct RangeCutter {
    private struct Block {
        let cidr: CIDR
        let network: Int32
        let isExcluded: Bool
        let order: Int
    }
    struct Range {
        let start: IPAddress
        let match: AddressRanges.Match
    }

    private var blocks: [Block] = []

    mutating func add(_ cidr: CIDR, _ network: Int32, isExcluded: Bool) {
        blocks.append(Block(cidr: cidr, network: network, isExcluded: isExcluded, order: blocks.count))
    }

    mutating func ranges() -> [Range] {
        // An outer block before those inside it; of equal ones the one that wins comes last.
        blocks.sort { ($0.cidr.base, $0.cidr.prefix, $1.order) < ($1.cidr.base, $1.cidr.prefix, $0.order) }
        var ranges: [Range] = []
        ranges.reserveCapacity(blocks.count * 2)
        /// The blocks around the point reached, the innermost last, each with the answer inside it.
        var open: [(block: Block, match: AddressRanges.Match, last: IPAddress)] = []
        func begin(_ start: IPAddress, _ match: AddressRanges.Match) {
            if ranges.last?.start == start { ranges.removeLast() }
            if let last = ranges.last, last.match.network == match.network, last.match.prefix == match.prefix { return }
            ranges.append(Range(start: start, match: match))
        }
        func close() {
            guard let closed = open.popLast(), let next = closed.last.successor else { return }
            begin(next, open.last?.match ?? .none)
        }
        for block in blocks {
            while let innermost = open.last, !innermost.block.cidr.contains(block.cidr) { close() }
            let match =
                block.isExcluded
                ? RangeCutter.match(outside: block.network, open.map(\.block))
                : AddressRanges.Match(network: block.network, prefix: Int32(block.cidr.prefix))
            begin(block.cidr.base, match)
            open.append((block, match, block.cidr.last))
        }
        while !open.isEmpty { close() }
        blocks = []
        return ranges
    }

    /// The innermost network around an exclusion: another one than `excluded`, and not excluded itself.
    private static func match(outside excluded: Int32, _ open: [Block]) -> AddressRanges.Match {
        var settled: Set<Int32> = [excluded]
        for block in open.reversed() where settled.insert(block.network).inserted && !block.isExcluded {
            return AddressRanges.Match(network: block.network, prefix: Int32(block.cidr.prefix))
        }
        return .none
    }
}

extension CIDR {
    /// The highest address.
    fileprivate var last: IPAddress {
        let (high, low) = CIDR.mask(prefix)
        return IPAddress(high: base.high | ~high, low: base.low | ~low)
    }
}

extension IPAddress {
    /// The next address; nil after the last.
    fileprivate var successor: IPAddress? {
        let (low, carry) = low.addingReportingOverflow(1)
        if !carry { return IPAddress(high: high, low: low) }
        return high == .max ? nil : IPAddress(high: high + 1, low: 0)
    }
}
