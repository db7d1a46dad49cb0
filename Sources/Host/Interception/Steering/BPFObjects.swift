// Maps and programs of BPF, and their attachments: each a descriptor, and gone with it.

import CBPF
import Linux

/// A map; bpf(2). Programs and the enforcer look at the same one.
struct BPFMap: ~Copyable, Sendable {
    let descriptor: Descriptor
    private let name: String

    /// - Parameters:
    ///   - keySize: In bytes.
    ///   - most: How many elements it can have.
    init(_ type: bpf_map_type, keySize: Int, most: Int, flags: Int, name: String) throws(SystemCallError) {
        self.name = name
        descriptor = Descriptor(
            owning: try syscall("BPF_MAP_CREATE", name) {
                cbpf_map(type.rawValue, UInt32(keySize), UInt32(MemoryLayout<UInt32>.size), UInt32(most), UInt32(flags), name)
            })
    }

    /// Adds an element whose value says nothing.
    func insert<Key: BitwiseCopyable>(_ key: Key) throws(SystemCallError) {
        try syscall("BPF_MAP_UPDATE_ELEM", name) {
            withUnsafePointer(to: key) { key in withUnsafePointer(to: UInt32(0)) { cbpf_update(descriptor.raw, key, $0) } }
        }
    }

    /// What is not there is removed already.
    func remove<Key: BitwiseCopyable>(_ key: Key) throws(SystemCallError) {
        do throws(SystemCallError) {
            try syscall("BPF_MAP_DELETE_ELEM", name) { withUnsafePointer(to: key) { cbpf_delete(descriptor.raw, $0) } }
        } catch where error.errno == ENOENT {}
    }
}

/// A program that the kernel's verifier has accepted, at work on a cgroup for as long as this value lives; bpf(2). Linux 5.7.
struct BPFAttachment: ~Copyable, Sendable {
    private let link: Descriptor

    init(
        of type: bpf_prog_type, to cgroup: borrowing Descriptor, _ attachment: bpf_attach_type, name: String, _ body: (inout BPFAssembler) -> Void
    ) throws(InterceptionError) {
        var assembler = BPFAssembler()
        body(&assembler)
        let program = try load(assembler.assembled(), type, attachment, name)
        do throws(SystemCallError) {
            link = Descriptor(owning: try syscall("BPF_LINK_CREATE", name) { cbpf_attach(program.raw, cgroup.raw, attachment.rawValue) })
        } catch { throw .system(error) }
    }
}

private func load(
    _ instructions: [UInt64], _ type: bpf_prog_type, _ attachment: bpf_attach_type, _ name: String
) throws(InterceptionError) -> Descriptor {
    let count = UInt32(instructions.count)
    let program = cbpf_load(type.rawValue, attachment.rawValue, instructions, count, name, nil, 0)
    if program >= 0 { return Descriptor(owning: program) }
    let error = SystemCallError(call: "BPF_PROG_LOAD", errno: clinux_errno(), subject: name)
    if error.errno == EPERM { throw .missingCapability("CAP_BPF and CAP_NET_ADMIN", doing: "load a BPF program") }
    guard error.errno == EINVAL || error.errno == EACCES else { throw .system(error) }
    // The verifier did not like it: this kernel cannot do what it should, and says why.
    var log = [CChar](repeating: 0, count: 64 << 10)
    let again = cbpf_load(type.rawValue, attachment.rawValue, instructions, count, name, &log, UInt32(64 << 10))
    if again >= 0 { return Descriptor(owning: again) }
    throw .programRefused(name: name, reason: lastLine(of: log) ?? "\(error)")
}

/// The verifier's last words but for its statistics.
private func lastLine(of log: [CChar]) -> String? {
    let text = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: "\n").last { !$0.hasPrefix("processed ") }.map(String.init)
}
