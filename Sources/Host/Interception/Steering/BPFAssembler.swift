// The instructions of BPF programs, put together by name. They are few, and so a node needs no compiler for them.

import CBPF

/// A program under way: instructions, and jumps to labels that may come later.
///
/// An instruction is 64 bits: code (8) | destination (4) | source (4) | offset (16) | immediate (32); RFC 9669, section 3.
struct BPFAssembler {
    /// r0 is what calls return, r1 to r5 are their arguments and lost by them, r6 to r9 stay, r10 is the end of the stack.
    enum Register: UInt64 {
        case r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, stack
    }

    /// Size of what is loaded (RFC 9669, section 5: W, H, B, DW).
    enum Size: UInt64 {
        case word = 0x00, half = 0x08, byte = 0x10, double = 0x18
    }

    /// RFC 9669, section 4.1.
    enum Operation: UInt64 {
        case add = 0x00, or = 0x40, and = 0x50, shiftLeft = 0x60, shiftRight = 0x70, remainder = 0x90
    }

    enum Condition: UInt64 {
        case equal = 0x10, hasBits = 0x40, notEqual = 0x50
    }

    struct Label: Equatable {
        fileprivate let number: Int
    }

    private var instructions: [UInt64] = []
    private var jumps: [(at: Int, to: Label)] = []
    /// Where each label is, by its number.
    private var places: [Int?] = []

    /// A label that is put somewhere later.
    mutating func label() -> Label {
        places.append(nil)
        return Label(number: places.count - 1)
    }

    mutating func put(_ label: Label) { places[label.number] = instructions.count }

    mutating func load(_ into: Register, from: Register, at offset: Int, _ size: Size = .word) {
        append(0x61 | size.rawValue, into, from, offset: offset)
    }

    /// Of 32 bits.
    mutating func store(_ value: Register, to: Register, at offset: Int) {
        append(0x63, to, value, offset: offset)
    }

    mutating func store(number: UInt32, to: Register, at offset: Int) { append(0x62, to, .r0, offset: offset, number: number) }

    mutating func move(_ into: Register, _ from: Register) { append(0xbf, into, from) }

    mutating func move(_ into: Register, number: UInt32) { append(0xb4, into, .r0, number: number) }

    /// Of 32 bits; the upper half becomes zero.
    mutating func calculate(_ operation: Operation, _ into: Register, _ other: Register) { append(0x0c | operation.rawValue, into, other) }

    mutating func calculate(_ operation: Operation, _ into: Register, number: UInt32) {
        append(0x04 | operation.rawValue, into, .r0, number: number)
    }

    /// Turns the lower two bytes from network order to the host's, or back; the others become zero.
    mutating func swapHalf(_ register: Register) { append(0xdc, register, .r0, number: 16) }

    /// Adds to a word in memory, with nothing in between, and gives what was there before.
    mutating func fetchAndAdd(_ value: Register, to: Register) { append(0xc3, to, value, number: 0x01) }

    // Of 64 bits:
    mutating func move(_ into: Register, double number: UInt64) {
        append(0x18, into, .r0, number: UInt32(truncatingIfNeeded: number))
        instructions.append(number & 0xffff_ffff_0000_0000)
    }
    mutating func store(double value: Register, to: Register, at offset: Int) { append(0x7b, to, value, offset: offset) }
    mutating func multiply(double into: Register, by other: Register) { append(0x2f, into, other) }
    mutating func or(double into: Register, _ other: Register) { append(0x4f, into, other) }
    mutating func xor(double into: Register, _ other: Register) { append(0xaf, into, other) }
    mutating func shiftLeft(double into: Register, by bits: UInt32) { append(0x67, into, .r0, number: bits) }
    mutating func shiftRight(double into: Register, by bits: UInt32) { append(0x77, into, .r0, number: bits) }

    /// The address of something on the stack.
    mutating func stackAddress(_ into: Register, at offset: Int) {
        move(into, .stack)
        append(0x07, into, .r0, number: UInt32(bitPattern: Int32(offset)))
    }

    /// What helpers take as a map.
    mutating func map(_ into: Register, descriptor: Int32) {
        append(0x18, into, Register(rawValue: UInt64(BPF_PSEUDO_MAP_FD)) ?? .r1, number: UInt32(bitPattern: descriptor))
        instructions.append(0)
    }

    mutating func call(_ helper: bpf_func_id) { append(0x85, .r0, .r0, number: helper.rawValue) }

    /// Compares 32 bits with a number.
    mutating func jump(to label: Label, if register: Register, _ condition: Condition, _ number: UInt32) {
        jumps.append((instructions.count, label))
        append(0x06 | condition.rawValue, register, .r0, number: number)
    }

    /// Of 64 bits, as pointers are.
    mutating func jump(to label: Label, ifZero register: Register) {
        jumps.append((instructions.count, label))
        append(0x15, register, .r0)
    }

    mutating func jump(to label: Label, ifNotZero register: Register) {
        jumps.append((instructions.count, label))
        append(0x55, register, .r0)
    }

    mutating func jump(to label: Label) {
        jumps.append((instructions.count, label))
        append(0x05, .r0, .r0)
    }

    /// Ends the program.
    mutating func exit(_ result: UInt32) {
        move(.r0, number: result)
        append(0x95, .r0, .r0)
    }

    /// The program as the kernel takes it.
    func assembled() -> [UInt64] {
        var program = instructions
        for jump in jumps {
            guard let place = places[jump.to.number] else { preconditionFailure("a label that was never put") }
            program[jump.at] |= UInt64(UInt16(bitPattern: Int16(place - jump.at - 1))) << 16
        }
        return program
    }

    private mutating func append(_ code: UInt64, _ destination: Register, _ source: Register, offset: Int = 0, number: UInt32 = 0) {
        instructions.append(
            code | destination.rawValue << 8 | source.rawValue << 12 | UInt64(UInt16(bitPattern: Int16(offset))) << 16 | UInt64(number) << 32)
    }
}
