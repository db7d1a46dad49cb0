// What of a unit's policy is in the sets of its table, and how that changes.

import Linux

/// What clients in the unit dial and the enforcer takes up: a block of addresses and a port.
public struct InterceptedFrontend: Hashable, Sendable {
    public let cidr: CIDR
    public let port: UInt16

    public init(cidr: CIDR, port: UInt16) {
        self.cidr = cidr
        self.port = port
    }
}

/// The elements of all sets, so that two of these can be compared.
package struct TableElements: Equatable {
    /// No two blocks of one port overlap: the kernel's interval sets refuse that (nft_set_pipapo.c, -ENOTEMPTY).
    package let frontends: Set<InterceptedFrontend>
    package let servedPorts: Set<UInt16>
    /// Nobody else listens on these.
    package let publicPorts: Set<UInt16>
    /// The table has a chain for this, which costs every packet that leaves; so only where it is wanted.
    package let deliversAsClient: Bool

    package init(
        frontends: Set<InterceptedFrontend>, servedPorts: Set<UInt16>, publicPorts: Set<UInt16> = [], deliversAsClient: Bool = false
    ) {
        // A port holds few lengths of prefix, so looking each ancestor up is cheaper than sorting.
        let prefixes = Set(frontends.lazy.map(\.cidr.prefix).filter { $0 < 128 })
        self.frontends = frontends.filter { frontend in
            !prefixes.contains { prefix in
                prefix < frontend.cidr.prefix
                    && TableElements.sameFamily(prefix, frontend.cidr)
                    && frontends.contains(InterceptedFrontend(cidr: CIDR(frontend.cidr.base, prefix: prefix), port: frontend.port))
            }
        }
        // The enforcer takes up both alike.
        self.servedPorts = servedPorts.union(publicPorts)
        self.publicPorts = publicPorts
        self.deliversAsClient = deliversAsClient
    }

    /// A block wider than the IPv4-mapped space is IPv6's and covers no IPv4 address.
    private static func sameFamily(_ prefix: Int, _ inner: CIDR) -> Bool { !inner.isV4 || prefix >= 96 }
}

/// The sets of the table.
enum TableSet: String, CaseIterable {
    /// Single addresses: a hash, which takes 100,000 of them in the time that an interval set takes for a tenth.
    case hosts4, hosts6
    /// Longer blocks: intervals.
    case blocks4, blocks6
    /// What arrives on these ports is taken up.
    case served
    /// Those of them that the unit itself has no listener on.
    case published
    case outgoingListeners = "outgoing_listeners"
    case incomingListeners = "incoming_listeners"

    init(for frontend: InterceptedFrontend) {
        self = switch (frontend.cidr.isV4, frontend.cidr.prefix == 128) {
        case (true, true): .hosts4
        case (true, false): .blocks4
        case (false, true): .hosts6
        case (false, false): .blocks6
        }
    }
}

/// One element: its key, and for an interval the last key that it covers.
struct TableElement {
    let key: [UInt8]
    let lastKey: [UInt8]?

    init(port: UInt16) {
        key = networkOrder(port)
        lastKey = nil
    }

    /// Address and port, each filling whole 32-bit words.
    init(_ frontend: InterceptedFrontend) {
        let cidr = frontend.cidr
        let port = networkOrder(frontend.port) + [0, 0]
        key = cidr.base.bytes + port
        let (high, low) = CIDR.mask(cidr.prefix)
        lastKey = cidr.prefix == 128 ? nil : IPAddress(high: cidr.base.high | ~high, low: cidr.base.low | ~low).bytes + port
    }
}
