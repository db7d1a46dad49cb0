// The nf_tables expressions that the table is made of. A rule is a list of them, carried out in order until one does not match.

import CNetfilter
import Linux

/// One expression. Those that load put their value into the first register, those that compare look at it there.
enum NetfilterExpression {
    /// Loads a fact about the packet.
    case meta(nft_meta_keys)
    /// Loads bytes of a header. `word` is the 32-bit register they go to: fields of a concatenation lie side by side.
    case payload(nft_payload_bases, offset: UInt32, length: UInt32, word: UInt32 = 0)
    /// Loads the type of the route to the packet's destination (RTN_LOCAL, …).
    case destinationType
    /// Loads what conntrack knows of the packet's connection, in one direction where the two differ.
    case connection(nft_ct_keys, direction: ip_conntrack_dir? = nil)
    /// Sets the packet's mark to what is loaded.
    case setMark
    /// Puts the packet's connection in a zone of conntrack, as far as it is looked up by what is sent first.
    case connectionZone(UInt16)
    /// Loads 0, 1, … modulus - 1, 0, … in turn.
    case turn(of: UInt32)
    /// Loads the id of the cgroup v2 of the packet's socket, or of its ancestor at this depth.
    case cgroup(level: UInt32)
    /// Keeps only these bits, and then turns those of `flip` over.
    case mask([UInt8], flip: [UInt8]? = nil)
    case equal([UInt8])
    case notEqual([UInt8])
    /// Matches if the set of that name has what was loaded.
    case isIn(String)
    case accept
    case goto(chain: String)
    /// Refuses with a TCP reset.
    case reset
    /// Sends the connection to this port of the namespace itself.
    case redirect(port: UInt16)
    /// Keeps the packet from conntrack.
    case untracked
    /// Hands the packet to the program that listens on this netfilter queue.
    case queue(UInt16)
}

/// A port as packets and sets have it.
func networkOrder(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)] }

extension NetfilterExpression {
    func encode(into batch: inout NetfilterBatch) {
        let register = NFT_REG_1.rawValue
        switch self {
        case .meta(let key):
            batch.expression("meta") {
                $0.put(NFTA_META_DREG, register)
                $0.put(NFTA_META_KEY, key.rawValue)
            }
        case .payload(let base, let offset, let length, let word):
            batch.expression("payload") {
                $0.put(NFTA_PAYLOAD_DREG, NFT_REG32_00.rawValue + word)
                $0.put(NFTA_PAYLOAD_BASE, base.rawValue)
                $0.put(NFTA_PAYLOAD_OFFSET, offset)
                $0.put(NFTA_PAYLOAD_LEN, length)
            }
        case .destinationType:
            batch.expression("fib") {
                $0.put(NFTA_FIB_DREG, register)
                $0.put(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE.rawValue)
                $0.put(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR.rawValue)
            }
        case .connection(let key, let direction):
            batch.expression("ct") {
                $0.put(NFTA_CT_DREG, register)
                $0.put(NFTA_CT_KEY, key.rawValue)
                if let direction { $0.put(NFTA_CT_DIRECTION, [UInt8(direction.rawValue)]) }
            }
        case .setMark:
            batch.expression("meta") {
                $0.put(NFTA_META_SREG, register)
                $0.put(NFTA_META_KEY, NFT_META_MARK.rawValue)
            }
        case .connectionZone(let zone):
            batch.load(withUnsafeBytes(of: zone) { Array($0) })
            batch.expression("ct") {
                $0.put(NFTA_CT_SREG, register)
                $0.put(NFTA_CT_KEY, NFT_CT_ZONE.rawValue)
                $0.put(NFTA_CT_DIRECTION, [UInt8(IP_CT_DIR_ORIGINAL.rawValue)])
            }
        case .turn(let modulus):
            batch.expression("numgen") {
                $0.put(NFTA_NG_DREG, register)
                $0.put(NFTA_NG_MODULUS, modulus)
                $0.put(NFTA_NG_TYPE, NFT_NG_INCREMENTAL.rawValue)
            }
        case .cgroup(let level):
            batch.expression("socket") {
                $0.put(NFTA_SOCKET_KEY, NFT_SOCKET_CGROUPV2.rawValue)
                $0.put(NFTA_SOCKET_DREG, register)
                $0.put(NFTA_SOCKET_LEVEL, level)
            }
        case .mask(let mask, let flip):
            batch.expression("bitwise") {
                $0.put(NFTA_BITWISE_SREG, register)
                $0.put(NFTA_BITWISE_DREG, register)
                $0.put(NFTA_BITWISE_LEN, UInt32(mask.count))
                $0.data(NFTA_BITWISE_MASK, mask)
                $0.data(NFTA_BITWISE_XOR, flip ?? [UInt8](repeating: 0, count: mask.count))
            }
        case .equal(let value): batch.comparison(NFT_CMP_EQ, value)
        case .notEqual(let value): batch.comparison(NFT_CMP_NEQ, value)
        case .isIn(let set):
            batch.expression("lookup") {
                $0.put(NFTA_LOOKUP_SET, set)
                $0.put(NFTA_LOOKUP_SREG, register)
            }
        case .accept: batch.verdict(NF_ACCEPT, chain: nil)
        case .goto(let chain): batch.verdict(NFT_GOTO.rawValue, chain: chain)
        case .reset:
            batch.expression("reject") { $0.put(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST.rawValue) }
        case .redirect(let port):
            batch.load(networkOrder(port))
            batch.expression("redir") { $0.put(NFTA_REDIR_REG_PROTO_MIN, register) }
        case .untracked: batch.expression("notrack") { _ in }
        case .queue(let number):
            batch.expression("queue") { $0.put(NFTA_QUEUE_NUM, networkOrder(number)) }
        }
    }
}

extension NetfilterBatch {
    fileprivate mutating func expression(_ name: String, _ attributes: (inout NetfilterBatch) -> Void) {
        nest(NFTA_LIST_ELEM) {
            $0.put(NFTA_EXPR_NAME, name)
            $0.nest(NFTA_EXPR_DATA, attributes)
        }
    }

    /// Adds a value as registers hold it.
    mutating func data(_ attribute: some RawRepresentable<UInt32>, _ value: [UInt8]) {
        nest(attribute) { $0.put(NFTA_DATA_VALUE, value) }
    }

    fileprivate mutating func load(_ value: [UInt8]) {
        expression("immediate") {
            $0.put(NFTA_IMMEDIATE_DREG, NFT_REG_1.rawValue)
            $0.data(NFTA_IMMEDIATE_DATA, value)
        }
    }

    fileprivate mutating func comparison(_ operation: nft_cmp_ops, _ value: [UInt8]) {
        expression("cmp") {
            $0.put(NFTA_CMP_SREG, NFT_REG_1.rawValue)
            $0.put(NFTA_CMP_OP, operation.rawValue)
            $0.data(NFTA_CMP_DATA, value)
        }
    }

    fileprivate mutating func verdict(_ code: Int32, chain: String?) {
        expression("immediate") {
            $0.put(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT.rawValue)
            $0.nest(NFTA_IMMEDIATE_DATA) {
                $0.nest(NFTA_DATA_VERDICT) {
                    $0.put(NFTA_VERDICT_CODE, UInt32(bitPattern: code))
                    if let chain { $0.put(NFTA_VERDICT_CHAIN, chain) }
                }
            }
        }
    }
}
