// The programs that SocketSteering has at connect(2), and the key by which they look frontends up.

import CBPF
import CNetfilter
import Linux

/// A block of addresses and a port: the key of a trie of prefixes (BPF_MAP_TYPE_LPM_TRIE), compared from its first bit.
struct FrontendKey: BitwiseCopyable {
    /// Bits that count of those behind it.
    let prefix: UInt32
    /// 4 or 6, zero, and the port in network order: a byte, a byte, two bytes.
    let familyAndPort: UInt32
    /// IPv4 as IPv4-mapped IPv6.
    let address: (UInt32, UInt32, UInt32, UInt32)

    init(_ frontend: InterceptedFrontend) {
        prefix = UInt32(32 + frontend.cidr.prefix)
        familyAndPort = UInt32(frontend.port).bigEndian | (frontend.cidr.isV4 ? 4 : 6)
        let (high, low) = (frontend.cidr.base.high, frontend.cidr.base.low)
        address = (
            UInt32(truncatingIfNeeded: high >> 32).bigEndian, UInt32(truncatingIfNeeded: high).bigEndian,
            UInt32(truncatingIfNeeded: low >> 32).bigEndian, UInt32(truncatingIfNeeded: low).bigEndian
        )
    }
}

extension BPFAssembler {
    /// Notes each dial in a unit's namespace, and sets the mark `steered` on a socket that is about to dial a frontend. Loopback is never steered,
    /// even where a frontend's block holds it.
    ///
    /// r6: struct bpf_sock_ops. r7: its socket, then the mark of that. r8: what the dial is. r9: the unit's frontends. The stack: a DialKey
    /// and a FrontendKey.
    mutating func noteDials(_ marks: ConnectionMarks, units: Int32, notes: DialNotes) {
        let (end, marked, v4, look, unbound, note) = (label(), label(), label(), label(), label(), label())
        let dial = -DialKey.size
        let frontend = dial - MemoryLayout<FrontendKey>.size
        let scratch = frontend - 4

        move(.r6, .r1)
        load(.r2, from: .r6, at: CBPF_SOCK_OPS_OP)
        jump(to: end, if: .r2, .notEqual, UInt32(BPF_SOCK_OPS_TCP_CONNECT_CB))
        load(.r7, from: .r6, at: CBPF_SOCK_OPS_SK, .double)
        jump(to: end, ifZero: .r7)
        storeCookie(at: dial + DialKey.cookie)
        find(dial + DialKey.cookie, in: units)
        jump(to: end, ifZero: .r0)
        move(.r9, .r0)

        load(.r2, from: .r6, at: CBPF_SOCK_OPS_LOCAL_PORT)
        store(.r2, to: .stack, at: dial + DialKey.diallerPort)
        // The upper half of it is the port in network order.
        load(.r2, from: .r6, at: CBPF_SOCK_OPS_REMOTE_PORT)
        calculate(.shiftRight, .r2, number: 16)
        swapHalf(.r2)
        store(.r2, to: .stack, at: dial + DialKey.dialledPort)

        load(.r2, from: .r7, at: CBPF_SOCK_MARK)
        calculate(.and, .r2, number: marks.mask)
        move(.r8, number: Dial.own.rawValue)
        jump(to: marked, if: .r2, .equal, 0)
        move(.r8, number: Dial.application.rawValue)
        jump(to: marked, if: .r2, .equal, marks.application)
        move(.r8, number: Dial.outgoing.rawValue)
        put(marked)

        load(.r2, from: .r6, at: CBPF_SOCK_OPS_FAMILY)
        jump(to: v4, if: .r2, .equal, UInt32(AF_INET))
        jump(to: end, if: .r2, .notEqual, UInt32(AF_INET6))
        copy(from: CBPF_SOCK_OPS_LOCAL_IP6, to: dial + DialKey.dialler)
        copy(from: CBPF_SOCK_OPS_REMOTE_IP6, to: dial + DialKey.dialled)
        distinguish(dial + DialKey.dialled, v4: v4, loopback: note)
        move(.r2, number: 6)
        jump(to: look)

        put(v4)
        mapV4(from: CBPF_SOCK_OPS_LOCAL_IP4, to: dial + DialKey.dialler)
        mapV4(from: CBPF_SOCK_OPS_REMOTE_IP4, to: dial + DialKey.dialled)
        load(.r2, from: .stack, at: dial + DialKey.dialled + 12, .byte)
        // 127.0.0.0/8.
        jump(to: note, if: .r2, .equal, 127)
        move(.r2, number: 4)

        put(look)
        jump(to: note, if: .r8, .notEqual, Dial.own.rawValue)
        load(.r3, from: .r6, at: CBPF_SOCK_OPS_REMOTE_PORT)
        calculate(.or, .r2, .r3)
        store(.r2, to: .stack, at: frontend + 4)
        for word in stride(from: 0, to: 16, by: 4) {
            load(.r2, from: .stack, at: dial + DialKey.dialled + word)
            store(.r2, to: .stack, at: frontend + 8 + word)
        }
        findFrontend(frontend)
        jump(to: note, ifZero: .r0)
        move(.r8, number: 1)
        fetchAndAdd(.r8, to: .r0)
        calculate(.and, .r8, number: ~Dial.steered.rawValue & Dial.bits)
        calculate(.or, .r8, number: Dial.steered.rawValue)
        // A socket that is bound to an interface has no route to loopback: setsockopt(SO_BINDTODEVICE) with an empty name.
        load(.r2, from: .r7, at: CBPF_SOCK_BOUND_INTERFACE)
        load(.r7, from: .r7, at: CBPF_SOCK_MARK)
        jump(to: unbound, if: .r2, .equal, 0)
        store(number: 0, to: .stack, at: scratch)
        setOption(SO_BINDTODEVICE, at: scratch)
        put(unbound)
        calculate(.or, .r7, number: marks.steered)
        store(.r7, to: .stack, at: scratch)
        setOption(SO_MARK, at: scratch)

        put(note)
        putNote(.r8, under: dial, in: notes, scratch: scratch, otherwise: end)
        forgetDialled(dial)
        putNote(.r8, under: dial, in: notes, scratch: scratch, otherwise: end)
        put(end)
        exit(1)
    }

    /// Takes the mark `steered` from a socket that had it for an earlier connection, and refuses one that is about to dial a frontend when
    /// no enforcer listens: steered it would not be answered, since nobody may send a reset from the address that it dials.
    ///
    /// r6: struct bpf_sock_addr. r7: the socket's mark, then 4 or 6. r9: the unit's frontends. The stack: the namespace's cookie and a FrontendKey.
    /// - Parameters:
    ///   - family: Of the socket.
    ///   - sockets: By namespace.
    mutating func admit(_ marks: ConnectionMarks, family: Int32, units: Int32, sockets: Int32) {
        let (end, own, v4, look, refuse) = (label(), label(), label(), label(), label())
        let cookie = -MemoryLayout<UInt64>.size
        let frontend = cookie - MemoryLayout<FrontendKey>.size
        let address = frontend + 8
        let scratch = frontend - 4

        move(.r6, .r1)
        load(.r2, from: .r6, at: CBPF_SOCK_ADDR_PROTOCOL)
        jump(to: end, if: .r2, .notEqual, UInt32(IPPROTO_TCP))
        load(.r7, from: .r6, at: CBPF_SOCK_ADDR_SK, .double)
        jump(to: end, ifZero: .r7)
        load(.r7, from: .r7, at: CBPF_SOCK_MARK)
        storeCookie(at: cookie)
        find(cookie, in: units)
        jump(to: end, ifZero: .r0)
        move(.r9, .r0)

        move(.r2, .r7)
        calculate(.and, .r2, number: marks.mask)
        jump(to: own, if: .r2, .equal, 0)
        jump(to: end, if: .r2, .notEqual, marks.steered)
        calculate(.and, .r7, number: ~marks.mask)
        store(.r7, to: .stack, at: scratch)
        setOption(SO_MARK, at: scratch)

        put(own)
        if family == AF_INET {
            mapV4(from: CBPF_SOCK_ADDR_IP4, to: address)
        } else {
            copy(from: CBPF_SOCK_ADDR_IP6, to: address)
            distinguish(address, v4: v4, loopback: end)
            move(.r7, number: 6)
            jump(to: look)
            put(v4)
        }
        // 0.0.0.0 and 127.0.0.0/8 are loopback.
        load(.r2, from: .stack, at: address + 12)
        jump(to: end, if: .r2, .equal, 0)
        calculate(.and, .r2, number: 0xff)
        jump(to: end, if: .r2, .equal, 127)
        move(.r7, number: 4)

        put(look)
        load(.r2, from: .r6, at: CBPF_SOCK_ADDR_PORT)
        calculate(.shiftLeft, .r2, number: 16)
        calculate(.or, .r2, .r7)
        store(.r2, to: .stack, at: frontend + 4)
        findFrontend(frontend)
        jump(to: end, ifZero: .r0)

        find(cookie, in: sockets)
        jump(to: refuse, ifZero: .r0)
        store(number: 0, to: .stack, at: scratch)
        move(.r1, .r0)
        stackAddress(.r2, at: scratch)
        call(BPF_FUNC_map_lookup_elem)
        jump(to: refuse, ifZero: .r0)
        move(.r1, .r0)
        call(BPF_FUNC_sk_release)
        put(end)
        exit(1)
        put(refuse)
        move(.r1, number: UInt32(bitPattern: -ECONNREFUSED))
        call(BPF_FUNC_set_retval)
        exit(0)
    }

    /// Puts the cookie of the network namespace whose context is in r6 on the stack, in halves.
    private mutating func storeCookie(at offset: Int) {
        move(.r1, .r6)
        call(BPF_FUNC_get_netns_cookie)
        store(.r0, to: .stack, at: offset)
        shiftRight(double: .r0, by: 32)
        store(.r0, to: .stack, at: offset + 4)
    }

    /// Puts the address of the value under the key that is on the stack in r0, or null.
    mutating func find(_ key: Int, in descriptor: Int32) {
        map(.r1, descriptor: descriptor)
        stackAddress(.r2, at: key)
        call(BPF_FUNC_map_lookup_elem)
    }

    /// The same of a FrontendKey, but for its prefix, in the trie that is in r9.
    private mutating func findFrontend(_ key: Int) {
        store(number: UInt32(8 * (MemoryLayout<FrontendKey>.size - 4)), to: .stack, at: key)
        move(.r1, .r9)
        stackAddress(.r2, at: key)
        call(BPF_FUNC_map_lookup_elem)
    }

    /// Goes on if the address on the stack is IPv6 and not loopback, which also `::` means to who dials it.
    private mutating func distinguish(_ address: Int, v4: Label, loopback: Label) {
        let v6 = label()
        load(.r2, from: .stack, at: address)
        load(.r3, from: .stack, at: address + 4)
        calculate(.or, .r2, .r3)
        jump(to: v6, if: .r2, .notEqual, 0)
        load(.r2, from: .stack, at: address + 8)
        jump(to: v4, if: .r2, .equal, UInt32(0xffff).bigEndian)
        load(.r3, from: .stack, at: address + 12)
        calculate(.and, .r3, number: ~UInt32(1).bigEndian)
        calculate(.or, .r2, .r3)
        jump(to: loopback, if: .r2, .equal, 0)
        put(v6)
    }

    /// Copies an IPv6 address from the context in r6 to the stack.
    mutating func copy(from context: Int, to offset: Int) {
        for word in stride(from: 0, to: 16, by: 4) {
            load(.r2, from: .r6, at: context + word)
            store(.r2, to: .stack, at: offset + word)
        }
    }

    /// Puts an IPv4 address from the context in r6 on the stack, as IPv4-mapped IPv6.
    mutating func mapV4(from context: Int, to offset: Int) {
        store(number: 0, to: .stack, at: offset)
        store(number: 0, to: .stack, at: offset + 4)
        store(number: UInt32(0xffff).bigEndian, to: .stack, at: offset + 8)
        load(.r2, from: .r6, at: context)
        store(.r2, to: .stack, at: offset + 12)
    }

    /// setsockopt(2), at SOL_SOCKET, of the socket whose context is in r6, with four bytes of the stack.
    private mutating func setOption(_ option: Int32, at value: Int) {
        move(.r1, .r6)
        move(.r2, number: UInt32(SOL_SOCKET))
        move(.r3, number: UInt32(option))
        stackAddress(.r4, at: value)
        move(.r5, number: 4)
        call(BPF_FUNC_setsockopt)
    }
}
