// The programs of DialSteering, and the key by which they look frontends up.

import CBPF
import Linux

/// A block of addresses and a port, in one namespace: the key of a trie of prefixes (BPF_MAP_TYPE_LPM_TRIE), compared from its first bit.
struct FrontendKey: BitwiseCopyable {
    /// Bits that count of those behind it.
    let prefix: UInt32
    /// Halves, since the stack of a program holds them at a multiple of four.
    let cookieLow, cookieHigh: UInt32
    /// 4 or 6, zero, and the port in network order: a byte, a byte, two bytes.
    let familyAndPort: UInt32
    /// IPv4 as IPv4-mapped IPv6.
    let address: (UInt32, UInt32, UInt32, UInt32)

    init(_ frontend: InterceptedFrontend, in cookie: UInt64) {
        prefix = UInt32(96 + frontend.cidr.prefix)
        cookieLow = UInt32(truncatingIfNeeded: cookie)
        cookieHigh = UInt32(truncatingIfNeeded: cookie >> 32)
        familyAndPort = UInt32(frontend.port).bigEndian | (frontend.cidr.isV4 ? 4 : 6)
        let (high, low) = (frontend.cidr.base.high, frontend.cidr.base.low)
        address = (
            UInt32(truncatingIfNeeded: high >> 32).bigEndian, UInt32(truncatingIfNeeded: high).bigEndian,
            UInt32(truncatingIfNeeded: low >> 32).bigEndian, UInt32(truncatingIfNeeded: low).bigEndian
        )
    }
}

extension BPFAssembler {
    /// Sets the mark `steered` on a socket that is about to dial a frontend. Loopback is never steered, even where a frontend's block holds it.
    ///
    /// r6: struct bpf_sock_ops. r7: the socket's mark. r9: 4 or 6. The stack: a FrontendKey.
    mutating func markDials(_ marks: ConnectionMarks, frontends: Int32) {
        let (end, v4, mapped, v6, look) = (label(), label(), label(), label(), label())
        let key = -MemoryLayout<FrontendKey>.size
        let (cookie, port, address) = (key + 4, key + 12, key + 16)

        move(.r6, .r1)
        load(.r2, from: .r6, at: CBPF_SOCK_OPS_OP)
        jump(to: end, if: .r2, .notEqual, UInt32(BPF_SOCK_OPS_TCP_CONNECT_CB))
        load(.r7, from: .r6, at: CBPF_SOCK_OPS_SK, .double)
        jump(to: end, ifNull: .r7)
        load(.r7, from: .r7, at: CBPF_SOCK_MARK)
        // The enforcer itself, or steered by another.
        move(.r2, .r7)
        calculate(.and, .r2, number: marks.mask)
        jump(to: end, if: .r2, .notEqual, 0)

        load(.r2, from: .r6, at: CBPF_SOCK_OPS_FAMILY)
        jump(to: v4, if: .r2, .equal, UInt32(AF_INET))
        jump(to: end, if: .r2, .notEqual, UInt32(AF_INET6))
        let words: [Register] = [.r2, .r3, .r4, .r5]
        for (index, word) in words.enumerated() {
            load(word, from: .r6, at: CBPF_SOCK_OPS_REMOTE_IP6 + 4 * index)
            store(word, to: .stack, at: address + 4 * index)
        }
        calculate(.or, .r2, .r3)
        jump(to: v6, if: .r2, .notEqual, 0)
        jump(to: mapped, if: .r4, .equal, UInt32(0xffff).bigEndian)
        jump(to: v6, if: .r4, .notEqual, 0)
        // ::1.
        jump(to: end, if: .r5, .equal, UInt32(1).bigEndian)

        put(v6)
        move(.r9, number: 6)
        jump(to: look)

        put(v4)
        store(number: 0, to: .stack, at: address)
        store(number: 0, to: .stack, at: address + 4)
        store(number: UInt32(0xffff).bigEndian, to: .stack, at: address + 8)
        load(.r5, from: .r6, at: CBPF_SOCK_OPS_REMOTE_IP4)
        store(.r5, to: .stack, at: address + 12)
        put(mapped)
        move(.r9, number: 4)
        load(.r2, from: .stack, at: address + 12, .byte)
        // 127.0.0.0/8.
        jump(to: end, if: .r2, .equal, 127)

        put(look)
        store(number: UInt32(8 * (MemoryLayout<FrontendKey>.size - 4)), to: .stack, at: key)
        // The upper half of it is the port in network order.
        load(.r2, from: .r6, at: CBPF_SOCK_OPS_REMOTE_PORT)
        calculate(.or, .r2, .r9)
        store(.r2, to: .stack, at: port)
        storeCookie(at: cookie)
        lookUp(key, in: frontends, otherwise: end)
        calculate(.or, .r7, number: marks.steered)
        setMark(.r7, scratch: key)
        put(end)
        exit(1)
    }

    /// Takes the mark `steered` from a socket that had it for an earlier connection.
    ///
    /// r6: struct bpf_sock_addr. r7: the socket's mark. The stack: the namespace's cookie.
    mutating func unmark(_ marks: ConnectionMarks, in namespaces: Int32) {
        let end = label()
        let key = -MemoryLayout<UInt64>.size

        move(.r6, .r1)
        load(.r7, from: .r6, at: CBPF_SOCK_ADDR_SK, .double)
        jump(to: end, ifNull: .r7)
        load(.r7, from: .r7, at: CBPF_SOCK_MARK)
        move(.r2, .r7)
        calculate(.and, .r2, number: marks.mask)
        jump(to: end, if: .r2, .notEqual, marks.steered)
        storeCookie(at: key)
        lookUp(key, in: namespaces, otherwise: end)
        calculate(.and, .r7, number: ~marks.mask)
        setMark(.r7, scratch: key)
        put(end)
        exit(1)
    }

    /// Puts the cookie of the network namespace whose context is in r6 on the stack, in halves.
    private mutating func storeCookie(at offset: Int) {
        move(.r1, .r6)
        call(BPF_FUNC_get_netns_cookie)
        store(.r0, to: .stack, at: offset)
        shiftRight(.r0, by: 32)
        store(.r0, to: .stack, at: offset + 4)
    }

    /// Goes on if `map` has the key that is on the stack.
    private mutating func lookUp(_ key: Int, in descriptor: Int32, otherwise other: Label) {
        map(.r1, descriptor: descriptor)
        stackAddress(.r2, at: key)
        call(BPF_FUNC_map_lookup_elem)
        jump(to: other, ifNull: .r0)
    }

    /// setsockopt(SO_MARK) of the socket whose context is in r6.
    private mutating func setMark(_ mark: Register, scratch: Int) {
        store(mark, to: .stack, at: scratch)
        move(.r1, .r6)
        move(.r2, number: UInt32(SOL_SOCKET))
        move(.r3, number: UInt32(SO_MARK))
        stackAddress(.r4, at: scratch)
        move(.r5, number: 4)
        call(BPF_FUNC_setsockopt)
    }
}
