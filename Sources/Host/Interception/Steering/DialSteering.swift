// What the units of this node dial: told at connect(2), so that no packet of theirs needs to be looked at.

import CBPF
import CNetfilter
import Linux
import Synchronization

/// Marks the sockets of units that dial a frontend, in whichever network namespace. A marked socket's packets stay in the namespace
/// (`LoopbackRoutes`) and come to the outgoing listener (chain `prerouting`), with the addresses that the unit dialled and comes from.
///
/// A program of BPF on the root of the cgroups is asked for every TCP connection that begins, after its route and its source are chosen
/// and before its first packet (BPF_SOCK_OPS_TCP_CONNECT_CB). Two more take the mark away again from a socket that is used for another
/// connection, before a route is chosen for that. Connections from before are never touched. The programs go with this object and
/// with the process; what they would have marked is refused then (chain `leaving`).
///
/// Needs Linux 5.15 and the root of cgroup v2.
public final class DialSteering: Sendable {
    private let frontends: BPFMap
    /// The namespaces that have any. The mark of others' sockets is their own affair.
    private let namespaces: BPFMap
    private let marking: BPFAttachment
    private let unmarking4, unmarking6: BPFAttachment
    /// What is in the map, by the namespace's cookie.
    private let inForce = Mutex<[UInt64: Steered]>([:])

    private struct Steered {
        var owner: ObjectIdentifier
        var frontends: Set<InterceptedFrontend>
    }

    /// Loads the programs and attaches them.
    init(_ marks: ConnectionMarks) throws(InterceptionError) {
        do throws(SystemCallError) {
            frontends = try BPFMap(
                BPF_MAP_TYPE_LPM_TRIE, keySize: MemoryLayout<FrontendKey>.size, most: 4 << 20, flags: Int(BPF_F_NO_PREALLOC), name: "sallyport_dial")
            namespaces = try BPFMap(
                BPF_MAP_TYPE_HASH, keySize: MemoryLayout<UInt64>.size, most: 1 << 16, flags: Int(BPF_F_NO_PREALLOC), name: "sallyport_units")
        } catch { throw .system(error) }
        let (map, units) = (frontends.descriptor.raw, namespaces.descriptor.raw)
        let root = try cgroupRoot()
        marking = try BPFAttachment(of: BPF_PROG_TYPE_SOCK_OPS, to: root, BPF_CGROUP_SOCK_OPS, name: "sallyport_mark") {
            $0.markDials(marks, frontends: map)
        }
        unmarking4 = try BPFAttachment(of: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, to: root, BPF_CGROUP_INET4_CONNECT, name: "sallyport_unmark") {
            $0.unmark(marks, in: units)
        }
        unmarking6 = try BPFAttachment(of: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, to: root, BPF_CGROUP_INET6_CONNECT, name: "sallyport_unmark") {
            $0.unmark(marks, in: units)
        }
    }

    /// Steers these and no others in a namespace, in the name of `owner`. What another steered there is its no more.
    /// - Throws: Nothing has changed then, as far as the kernel can still do that.
    func steer(_ wanted: Set<InterceptedFrontend>, in cookie: UInt64, for owner: AnyObject) throws(InterceptionError) {
        let result = inForce.withLock { inForce in
            Result { () throws(SystemCallError) in
                let old = inForce[cookie]?.frontends ?? []
                let added = wanted.subtracting(old)
                do throws(SystemCallError) {
                    try self.namespaces.insert(cookie)
                    for frontend in added { try self.frontends.insert(FrontendKey(frontend, in: cookie)) }
                    for frontend in old.subtracting(wanted) { try self.frontends.remove(FrontendKey(frontend, in: cookie)) }
                } catch {
                    for frontend in added { _ = try? self.frontends.remove(FrontendKey(frontend, in: cookie)) }
                    throw error
                }
                inForce[cookie] = Steered(owner: ObjectIdentifier(owner), frontends: wanted)
            }
        }
        do throws(SystemCallError) { try result.get() } catch { throw .system(error) }
    }

    /// Steers nothing there any more, unless another has taken the namespace over.
    func release(_ cookie: UInt64, of owner: AnyObject) {
        inForce.withLock { inForce in
            guard let steered = inForce[cookie], steered.owner == ObjectIdentifier(owner) else { return }
            inForce[cookie] = nil
            for frontend in steered.frontends { _ = try? frontends.remove(FrontendKey(frontend, in: cookie)) }
            _ = try? namespaces.remove(cookie)
        }
    }
}

/// The root of cgroup v2, where systemd mounts it: by itself, or beside the hierarchies of v1.
private func cgroupRoot() throws(InterceptionError) -> Descriptor {
    var seen = "no cgroup v2 at /sys/fs/cgroup or /sys/fs/cgroup/unified"
    for path in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        guard let directory = try? Descriptor(opening: path, flags: O_RDONLY | O_DIRECTORY), cnetfilter_is_cgroup2(directory.raw) != 0 else { continue }
        // Only the root has no type; cgroups(7). Units run beside what is seen from below, and would not be steered.
        if faccessat(directory.raw, "cgroup.type", F_OK, 0) != 0 { return directory }
        seen = "\(path) is not the root of the cgroups, but what a cgroup namespace shows of them"
    }
    throw .noCgroupRoot(seen)
}

/// A block of addresses and a port, in one namespace: the key of a trie of prefixes (BPF_MAP_TYPE_LPM_TRIE), compared from its first bit.
private struct FrontendKey: BitwiseCopyable {
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
    fileprivate mutating func markDials(_ marks: ConnectionMarks, frontends: Int32) {
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
    fileprivate mutating func unmark(_ marks: ConnectionMarks, in namespaces: Int32) {
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
