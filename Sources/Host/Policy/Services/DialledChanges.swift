// Which blocks and ports lead to other services than before, so that long lists of them need not be made again.

import Linux

struct DialledChanges: Sendable {
    private(set) var frontends: Set<PlannedFrontend> = []
    /// So many have changed that it is better to begin anew.
    private(set) var isComplete = true

    private static let maximum = 1024

    mutating func note(_ cidr: CIDR, _ port: UInt16) {
        guard isComplete else { return }
        frontends.insert(PlannedFrontend(cidr: cidr, port: port))
        if frontends.count > DialledChanges.maximum { overflow() }
    }

    mutating func overflow() {
        isComplete = false
        frontends = []
    }
}
