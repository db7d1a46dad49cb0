// The objects of nf_tables as messages: the table, its sets and their elements, its chains and their rules.

import CNetfilter
import Linux

extension NetfilterBatch {
    static let tableName = "sallyport"

    mutating func removeTable() {
        // Adding a table that exists does nothing; without it, deleting one that does not exist would fail.
        table(NFT_MSG_NEWTABLE)
        table(NFT_MSG_DELTABLE)
    }

    mutating func table(_ type: nf_tables_msg_types, flags: UInt32 = 0) {
        message(type, flags: type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, "the table itself") {
            $0.put(NFTA_TABLE_NAME, NetfilterBatch.tableName)
            if flags != 0 { $0.put(NFTA_TABLE_FLAGS, flags) }
        }
    }

    mutating func set(_ set: TableSet, id: UInt32) {
        message(NFT_MSG_NEWSET, flags: NLM_F_CREATE, "set \(set.rawValue)") { batch in
            batch.put(NFTA_SET_TABLE, NetfilterBatch.tableName)
            batch.put(NFTA_SET_NAME, set.rawValue)
            batch.put(NFTA_SET_ID, id)
            batch.put(NFTA_SET_KEY_TYPE, set.keyType)
            batch.put(NFTA_SET_KEY_LEN, set.keyLength)
            if set.isInterval {
                batch.put(NFTA_SET_FLAGS, NFT_SET_INTERVAL.rawValue | NFT_SET_CONCAT.rawValue)
                batch.nest(NFTA_SET_DESC) {
                    $0.nest(NFTA_SET_DESC_CONCAT) {
                        for length in set.fieldLengths {
                            $0.nest(NFTA_LIST_ELEM) { $0.put(NFTA_SET_FIELD_LEN, length) }
                        }
                    }
                }
            }
        }
    }

    mutating func chain(_ chain: TableChain, _ kind: Interceptor.Kind) {
        message(NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, "chain \(chain.rawValue)") { batch in
            batch.put(NFTA_CHAIN_TABLE, NetfilterBatch.tableName)
            batch.put(NFTA_CHAIN_NAME, chain.rawValue)
            guard let (type, hook, priority) = chain.hook(kind) else { return }
            batch.put(NFTA_CHAIN_TYPE, type)
            batch.nest(NFTA_CHAIN_HOOK) {
                $0.put(NFTA_HOOK_HOOKNUM, hook.rawValue)
                $0.put(NFTA_HOOK_PRIORITY, UInt32(bitPattern: priority))
            }
        }
    }

    mutating func rule(_ number: Int, of chain: TableChain, _ expressions: [NetfilterExpression]) {
        message(NFT_MSG_NEWRULE, flags: NLM_F_CREATE | NLM_F_APPEND, "rule \(number) of chain \(chain.rawValue)") { batch in
            batch.put(NFTA_RULE_TABLE, NetfilterBatch.tableName)
            batch.put(NFTA_RULE_CHAIN, chain.rawValue)
            batch.nest(NFTA_RULE_EXPRESSIONS) {
                for expression in expressions { expression.encode(into: &$0) }
            }
        }
    }

    mutating func elements(_ type: nf_tables_msg_types, _ set: TableSet, _ elements: [TableElement]) {
        // An attribute ends at 64 KiB, and an element of two IPv6 keys takes 60 bytes.
        let most = 1000
        for start in stride(from: 0, to: elements.count, by: most) {
            message(type, flags: type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, "the elements of set \(set.rawValue)") { batch in
                batch.put(NFTA_SET_ELEM_LIST_TABLE, NetfilterBatch.tableName)
                batch.put(NFTA_SET_ELEM_LIST_SET, set.rawValue)
                batch.nest(NFTA_SET_ELEM_LIST_ELEMENTS) {
                    for element in elements[start..<min(start + most, elements.count)] {
                        $0.nest(NFTA_LIST_ELEM) {
                            $0.data(NFTA_SET_ELEM_KEY, element.key)
                            if let last = element.lastKey { $0.data(NFTA_SET_ELEM_KEY_END, last) }
                        }
                    }
                }
            }
        }
    }
}

extension TableSet {
    /// Bytes of each field of a key.
    fileprivate var fieldLengths: [UInt32] {
        switch self {
        case .hosts4, .blocks4: [4, 2]
        case .hosts6, .blocks6: [16, 2]
        case .served, .published, .outgoingListeners, .incomingListeners: [2]
        }
    }

    /// Bytes of a key: each field of a concatenation fills whole 32-bit words.
    fileprivate var keyLength: UInt32 { fieldLengths.count == 1 ? fieldLengths[0] : fieldLengths.reduce(0) { $0 + ($1 + 3) & ~3 } }

    fileprivate var isInterval: Bool { self == .blocks4 || self == .blocks6 }

    /// What `nft` shows: its numbers for ipv4_addr (7), ipv6_addr (8) and inet_service (13), six bits each
    /// (enum datatypes, include/datatype.h of nftables). The kernel only keeps it.
    fileprivate var keyType: UInt32 {
        switch self {
        case .hosts4, .blocks4: 7 << 6 | 13
        case .hosts6, .blocks6: 8 << 6 | 13
        case .served, .published, .outgoingListeners, .incomingListeners: 13
        }
    }
}
