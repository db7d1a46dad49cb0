// The program that SteeredNamespace has where the kernel looks for a listener.

import CBPF
import CNetfilter
import Linux

/// What is listened for at a port of a steered namespace: the value under the port, in the host's order.
enum ServedPort: UInt32 {
    /// Others' connections come to an incoming listener.
    case served = 1
    /// The unit's own, too.
    case published = 2
    /// A listener's own port, which nobody may dial.
    case listener = 3
}

extension BPFAssembler {
    /// Chooses the socket for what begins a TCP connection, or ends a handshake by SYN cookie, which must come to the socket that sent the cookie:
    /// where a steered dial goes is kept with it, and where others' go is a hash of who they are.
    ///
    /// What must not arrive is dropped, which TCP answers with a reset; so is what has no listener any more.
    ///
    /// r6: struct bpf_sk_lookup. r7: the port that was dialled, then the listener. r8: what is known of the dial. r9: a hash of it, then which listener is
    /// to have it. The stack: a DialKey and a word.
    /// - Parameters:
    ///   - listeners: Sockets: the workers' outgoing ones, and then their incoming ones.
    ///   - served: By port.
    mutating func chooseListener(cookie: UInt64, workers: UInt32, notes: DialNotes, served: Int32, listeners: Int32) {
        let (v4, look, elsewhere, noted, unknown, known) = (label(), label(), label(), label(), label(), label())
        let (others, steered, choose, pass, drop) = (label(), label(), label(), label(), label())
        let dial = -DialKey.size
        let scratch = dial - 4

        move(.r6, .r1)
        load(.r2, from: .r6, at: CBPF_LOOKUP_PROTOCOL)
        jump(to: pass, if: .r2, .notEqual, UInt32(IPPROTO_TCP))
        store(number: UInt32(truncatingIfNeeded: cookie), to: .stack, at: dial + DialKey.cookie)
        store(number: UInt32(truncatingIfNeeded: cookie >> 32), to: .stack, at: dial + DialKey.cookie + 4)
        load(.r2, from: .r6, at: CBPF_LOOKUP_REMOTE_PORT, .half)
        swapHalf(.r2)
        store(.r2, to: .stack, at: dial + DialKey.diallerPort)
        load(.r7, from: .r6, at: CBPF_LOOKUP_LOCAL_PORT)
        store(.r7, to: .stack, at: dial + DialKey.dialledPort)

        load(.r2, from: .r6, at: CBPF_LOOKUP_FAMILY)
        jump(to: v4, if: .r2, .equal, UInt32(AF_INET))
        copy(from: CBPF_LOOKUP_REMOTE_IP6, to: dial + DialKey.dialler)
        copy(from: CBPF_LOOKUP_LOCAL_IP6, to: dial + DialKey.dialled)
        jump(to: look)
        put(v4)
        mapV4(from: CBPF_LOOKUP_REMOTE_IP4, to: dial + DialKey.dialler)
        mapV4(from: CBPF_LOOKUP_LOCAL_IP4, to: dial + DialKey.dialled)

        put(look)
        readNote(.r8, hash: .r9, of: dial, in: notes, scratch: scratch, otherwise: elsewhere)
        jump(to: noted)
        put(elsewhere)
        forgetDialled(dial)
        readNote(.r8, hash: .r9, of: dial, in: notes, scratch: scratch, otherwise: unknown)
        put(noted)
        jump(to: steered, if: .r8, .hasBits, Dial.steered.rawValue)
        jump(to: known)
        put(unknown)
        move(.r8, number: Dial.outgoing.rawValue)
        put(known)
        store(.r7, to: .stack, at: scratch)
        find(scratch, in: served)
        jump(to: pass, ifZero: .r0)
        load(.r2, from: .r0, at: 0)
        jump(to: drop, if: .r2, .equal, ServedPort.listener.rawValue)
        jump(to: pass, if: .r8, .equal, Dial.application.rawValue)
        jump(to: others, if: .r8, .equal, Dial.outgoing.rawValue)
        jump(to: pass, if: .r2, .notEqual, ServedPort.published.rawValue)

        put(others)
        shiftRight(double: .r9, by: 32)
        calculate(.remainder, .r9, number: workers)
        calculate(.add, .r9, number: workers)
        jump(to: choose)

        put(steered)
        move(.r9, .r8)
        calculate(.and, .r9, number: ~Dial.steered.rawValue)
        calculate(.remainder, .r9, number: workers)

        put(choose)
        store(.r9, to: .stack, at: scratch)
        find(scratch, in: listeners)
        jump(to: drop, ifZero: .r0)
        move(.r7, .r0)
        move(.r1, .r6)
        move(.r2, .r7)
        move(.r3, number: 0)
        call(BPF_FUNC_sk_assign)
        move(.r8, .r0)
        move(.r1, .r7)
        call(BPF_FUNC_sk_release)
        jump(to: drop, if: .r8, .notEqual, 0)
        put(pass)
        exit(UInt32(SK_PASS.rawValue))
        put(drop)
        exit(UInt32(SK_DROP.rawValue))
    }
}
