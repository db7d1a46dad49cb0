// What is known of dials: noted at connect(2), read where the kernel looks for a listener.

import CBPF
import Linux

/// The key of a dial, in words: the cookie of its namespace (2), who dials (4) and who is dialled (4), IPv4 as IPv4-mapped IPv6, and
/// the port of each, in the host's order.
///
/// Each dial is noted a second time with nobody dialled, by which one is found that a host's nat turned elsewhere on its way.
enum DialKey {
    static let cookie = 0, dialler = 8, dialled = 24, diallerPort = 40, dialledPort = 44, size = 48
}

/// What is known of a dial: 16 bits.
enum Dial: UInt32 {
    static let bits: UInt32 = 0xffff

    /// The unit's own, and no frontend is dialled.
    case own = 0
    /// The enforcer's in place of a client. What comes from elsewhere is the same to who receives it.
    case outgoing = 1
    /// The enforcer's towards the application.
    case application = 2
    /// At a frontend. The other bits say whose turn it is of the workers.
    case steered = 0x8000
}

/// An array, in which a key's hash says the place of its note: that hash but for its lower 16 bits, and in those what is noted. A note is read and written
/// at once, with no lock, and takes the place of an older one of another dial, which is long past the one packet that it was for.
///
/// The hash is of this machine's own making: its seed is kept with the notes, so that all programs have the same.
struct DialNotes: Sendable {
    /// 2 MiB of the kernel's. At 10,000 dials a second one in thirty notes is gone after a second, when a packet that was lost is sent again.
    static let count = 1 << 18

    /// The array's descriptor, which is its owner's.
    let map: Int32
    let seed: UInt64

    static func makeMap() throws(SystemCallError) -> BPFMap {
        // The last one is the seed.
        try BPFMap(BPF_MAP_TYPE_ARRAY, keySize: MemoryLayout<UInt32>.size, valueSize: MemoryLayout<UInt64>.size, most: count + 1, name: "sallyport_dials")
    }

    /// - Parameter map: A new one, or one of an enforcer from before.
    init(in map: borrowing BPFMap) throws(SystemCallError) {
        let place = UInt32(DialNotes.count)
        var seed: UInt64 = try map.value(of: place)
        if seed == 0 {
            seed = .random(in: 1 ... .max)
            try map.set(place, to: seed)
        }
        self.map = map.descriptor.raw
        self.seed = seed
    }
}

extension BPFAssembler {
    /// Notes what is in `what` under the DialKey on the stack. r9 is lost.
    mutating func putNote(_ what: Register, under key: Int, in notes: DialNotes, scratch: Int, otherwise other: Label) {
        hash(.r9, of: key, notes.seed)
        findNote(of: .r9, in: notes, scratch: scratch)
        jump(to: other, ifZero: .r0)
        shiftRight(double: .r9, by: 16)
        shiftLeft(double: .r9, by: 16)
        or(double: .r9, what)
        store(double: .r9, to: .r0, at: 0)
    }

    /// Goes on with what is noted under the DialKey on the stack in `what`; `hash` is left with the key's.
    mutating func readNote(_ what: Register, hash: Register, of key: Int, in notes: DialNotes, scratch: Int, otherwise other: Label) {
        self.hash(hash, of: key, notes.seed)
        findNote(of: hash, in: notes, scratch: scratch)
        jump(to: other, ifZero: .r0)
        load(what, from: .r0, at: 0, .double)
        move(.r2, what)
        xor(double: .r2, hash)
        shiftRight(double: .r2, by: 16)
        jump(to: other, ifNotZero: .r2)
        calculate(.and, what, number: Dial.bits)
    }

    /// Makes the DialKey on the stack one of whom nobody is dialled.
    mutating func forgetDialled(_ key: Int) {
        for word in stride(from: 0, to: 16, by: 4) { store(number: 0, to: .stack, at: key + DialKey.dialled + word) }
        store(number: 0, to: .stack, at: key + DialKey.dialledPort)
    }

    /// The golden ratio's multiples, with the upper half mixed into the lower after each eight bytes.
    private mutating func hash(_ into: Register, of key: Int, _ seed: UInt64) {
        move(into, double: seed)
        move(.r1, double: 0x9e37_79b9_7f4a_7c15)
        for offset in stride(from: 0, to: DialKey.size, by: 8) {
            load(.r2, from: .stack, at: key + offset, .double)
            xor(double: into, .r2)
            multiply(double: into, by: .r1)
            move(.r2, into)
            shiftRight(double: .r2, by: 32)
            xor(double: into, .r2)
        }
    }

    /// Puts the address of the note whose hash is in a register in r0, or null.
    private mutating func findNote(of hash: Register, in notes: DialNotes, scratch: Int) {
        move(.r2, hash)
        calculate(.and, .r2, number: UInt32(DialNotes.count - 1))
        store(.r2, to: .stack, at: scratch)
        find(scratch, in: notes.map)
    }
}
