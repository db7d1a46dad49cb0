// The nftables table of one namespace, as transactions.

import CNetfilter
import Linux

/// The table `inet sallyport`, which leads by nat. Policy is in its sets; its rules depend only on the listeners and on
/// whether the unit is to see its clients' addresses.
struct SallyportTable: Sendable {
    let kind: Interceptor.Kind
    let marks: ConnectionMarks
    let listeners: [ListenerPair]
    /// The kernel removes the table when the socket that made it is closed, and lets no other change it.
    let endsWithItsOwner: Bool

    /// Puts this table in the place of whichever is there, with no moment between the two.
    func replacement(_ elements: TableElements) -> NetfilterBatch {
        NetfilterBatch { batch in
            put(&batch, TableChain.ofNat(deliversAsClient: elements.deliversAsClient)) { putSets(&$0, elements) }
        }
    }

    /// What steering takes of a table: nothing, or on a host where others translate the chain that keeps them away.
    func besideSteering(isShielded: Bool) -> NetfilterBatch {
        NetfilterBatch { batch in
            if isShielded { put(&batch, [.untracked]) } else { batch.removeTable() }
        }
    }

    private func put(_ batch: inout NetfilterBatch, _ chains: [TableChain], sets: (inout NetfilterBatch) -> Void = { _ in }) {
        batch.removeTable()
        batch.table(NFT_MSG_NEWTABLE, flags: endsWithItsOwner ? NFT_TABLE_F_OWNER.rawValue : 0)
        sets(&batch)
        for chain in chains { batch.chain(chain, kind) }
        for chain in chains {
            for (index, rule) in chain.rules(self).enumerated() { batch.rule(index + 1, of: chain, rule) }
        }
    }

    private func putSets(_ batch: inout NetfilterBatch, _ elements: TableElements) {
        for (index, set) in TableSet.allCases.enumerated() { batch.set(set, id: UInt32(index + 1)) }
        batch.elements(NFT_MSG_NEWSETELEM, .outgoingListeners, listeners.map { TableElement(port: $0.outgoingPort) })
        batch.elements(NFT_MSG_NEWSETELEM, .incomingListeners, listeners.map { TableElement(port: $0.incomingPort) })
        batch.elements(NFT_MSG_NEWSETELEM, elements.frontends, elements.servedPorts, elements.publicPorts)
    }

    /// Turns `old` elements into `new` ones and touches no rule; both must be of tables with the same chains.
    static func change(from old: TableElements, to new: TableElements) -> NetfilterBatch {
        NetfilterBatch { batch in
            // Removing first: a block may take the place of others that lie in it.
            batch.elements(
                NFT_MSG_DELSETELEM, old.frontends.subtracting(new.frontends), old.servedPorts.subtracting(new.servedPorts),
                old.publicPorts.subtracting(new.publicPorts))
            batch.elements(
                NFT_MSG_NEWSETELEM, new.frontends.subtracting(old.frontends), new.servedPorts.subtracting(old.servedPorts),
                new.publicPorts.subtracting(old.publicPorts))
        }
    }

    static var removal: NetfilterBatch { NetfilterBatch { $0.removeTable() } }
}

extension NetfilterBatch {
    fileprivate mutating func elements(
        _ type: nf_tables_msg_types, _ frontends: Set<InterceptedFrontend>, _ servedPorts: Set<UInt16>,
        _ publicPorts: Set<UInt16>
    ) {
        elements(type, .served, servedPorts.map { TableElement(port: $0) })
        elements(type, .published, publicPorts.map { TableElement(port: $0) })
        for (set, members) in Dictionary(grouping: frontends, by: TableSet.init(for:)) {
            elements(type, set, members.map { TableElement($0) })
        }
    }
}
