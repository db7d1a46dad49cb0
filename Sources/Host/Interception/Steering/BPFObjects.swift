// Maps and programs of BPF, and their attachments: each a descriptor, and gone with it.

import CBPF
import Linux

/// A map; bpf(2). Programs and the enforcer look at the same one.
struct BPFMap: ~Copyable, Sendable {
    let descriptor: Descriptor
    private let name: String

    /// - Parameters:
    ///   - keySize: In bytes, as is `valueSize`.
    ///   - most: How many elements it can have.
    init(
        _ type: bpf_map_type, keySize: Int, valueSize: Int, most: Int, flags: Int = 0, name: String
    ) throws(SystemCallError) {
        self.name = name
        descriptor = Descriptor(
            owning: try syscall("BPF_MAP_CREATE", name) {
                cbpf_map(type.rawValue, UInt32(keySize), UInt32(valueSize), UInt32(most), UInt32(flags), name)
            })
    }

    func update<Key: BitwiseCopyable>(_ key: Key, _ value: UInt32) throws(SystemCallError) {
        try syscall("BPF_MAP_UPDATE_ELEM", name) {
            withUnsafePointer(to: key) { key in withUnsafePointer(to: value) { cbpf_update(descriptor.raw, key, $0) } }
        }
    }

    /// What is not there is removed already.
    func remove<Key: BitwiseCopyable>(_ key: Key) throws(SystemCallError) {
        do throws(SystemCallError) {
            try syscall("BPF_MAP_DELETE_ELEM", name) { withUnsafePointer(to: key) { cbpf_delete(descriptor.raw, $0) } }
        } catch where error.errno == ENOENT {}
    }
}

/// A program that the kernel's verifier has accepted; bpf(2).
struct BPFProgram: ~Copyable, Sendable {
    let descriptor: Descriptor
    private let attachment: bpf_attach_type

    init(_ type: bpf_prog_type, _ attachment: bpf_attach_type, name: String, _ body: (inout BPFAssembler) -> Void) throws(InterceptionError) {
        self.attachment = attachment
        var assembler = BPFAssembler()
        body(&assembler)
        let instructions = assembler.assembled()
        let raw = cbpf_load(type.rawValue, attachment.rawValue, instructions, UInt32(instructions.count), name, nil, 0)
        if raw < 0 {
            let error = SystemCallError(call: "BPF_PROG_LOAD", errno: clinux_errno(), subject: name)
            if error.errno == EPERM { throw .missingCapability("CAP_BPF and CAP_NET_ADMIN", doing: "load a BPF program") }
            // The verifier did not like it: on this kernel it cannot do what it should, and here is why.
            guard error.errno == EINVAL || error.errno == EACCES else { throw .system(error) }
            var log = [CChar](repeating: 0, count: 64 << 10)
            let size = UInt32(log.count)
            let again = cbpf_load(type.rawValue, attachment.rawValue, instructions, UInt32(instructions.count), name, &log, size)
            if again >= 0 { close(again) }
            throw .programRefused(name: name, reason: lastLine(of: log) ?? "\(error)")
        }
        descriptor = Descriptor(owning: raw)
    }

    /// Attaches it to a cgroup, for as long as what is returned lives. Linux 5.7.
    func attach(to target: borrowing Descriptor) throws(SystemCallError) -> Descriptor {
        Descriptor(owning: try syscall("BPF_LINK_CREATE") { cbpf_attach(descriptor.raw, target.raw, attachment.rawValue) })
    }
}

/// The verifier's last words but for its statistics.
private func lastLine(of log: [CChar]) -> String? {
    let text = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: "\n").last { !$0.hasPrefix("processed ") }.map(String.init)
}
