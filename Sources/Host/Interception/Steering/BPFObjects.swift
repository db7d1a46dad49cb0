// Maps and programs of BPF, and their attachments: each a descriptor, and gone with it unless a file stands for it (SteeringPins).

import CBPF
import Linux

/// A map; bpf(2). Programs and the enforcer look at the same one.
struct BPFMap: ~Copyable, Sendable {
    let descriptor: Descriptor
    private let name: String

    /// - Parameters:
    ///   - keySize, valueSize: In bytes.
    ///   - most: How many elements it can have.
    ///   - inner: The descriptor of a map like those that a map of maps holds.
    init(_ type: bpf_map_type, keySize: Int, valueSize: Int = 4, most: Int, flags: UInt32 = 0, inner: Int32 = 0, name: String) throws(SystemCallError) {
        self.name = name
        descriptor = Descriptor(
            owning: try syscall("BPF_MAP_CREATE", name) {
                cbpf_map(type.rawValue, UInt32(keySize), UInt32(valueSize), UInt32(most), flags, inner, name)
            })
    }

    /// A map that is there already.
    init(owning descriptor: consuming Descriptor, name: String) {
        self.descriptor = descriptor
        self.name = name
    }

    /// Adds an element, or gives the one that is there another value.
    func set<Key: BitwiseCopyable, Value: FixedWidthInteger>(_ key: Key, to value: Value) throws(SystemCallError) {
        try syscall("BPF_MAP_UPDATE_ELEM", name) {
            withUnsafePointer(to: key) { key in withUnsafePointer(to: value) { cbpf_update(descriptor.raw, key, $0) } }
        }
    }

    /// The value of an element of a map of maps or of sockets is what a descriptor stands for.
    func set<Key: BitwiseCopyable>(_ key: Key, descriptor: Int32) throws(SystemCallError) { try set(key, to: UInt32(bitPattern: descriptor)) }

    /// The value of an element that is there.
    func value<Key: BitwiseCopyable, Value: FixedWidthInteger>(of key: Key) throws(SystemCallError) -> Value {
        var value: Value = 0
        try syscall("BPF_MAP_LOOKUP_ELEM", name) { withUnsafePointer(to: key) { cbpf_lookup(descriptor.raw, $0, &value) } }
        return value
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
    private let descriptor: Descriptor
    private let attachment: bpf_attach_type
    let name: String

    init(
        _ type: bpf_prog_type, for attachment: bpf_attach_type, name: String, _ body: (inout BPFAssembler) -> Void
    ) throws(InterceptionError) {
        var assembler = BPFAssembler()
        body(&assembler)
        descriptor = try load(assembler.assembled(), type, attachment, name)
        self.attachment = attachment
        self.name = name
    }

    /// Attaches it to a cgroup or a network namespace. Linux 5.7.
    /// - Returns: The link, which it is attached by for as long as that is open or pinned.
    func attached(to target: Int32) throws(SystemCallError) -> Descriptor {
        Descriptor(owning: try syscall("BPF_LINK_CREATE", name) { cbpf_attach(descriptor.raw, target, attachment.rawValue) })
    }

    /// Puts it in the place of the program that a link attaches, with no moment between the two.
    func replaceThat(of link: borrowing Descriptor) throws(SystemCallError) {
        try syscall("BPF_LINK_UPDATE", name) { cbpf_replace(link.raw, descriptor.raw) }
    }
}

/// Takes away what a link attaches. Closing it and removing its file would do so by and by: a file goes after what the kernel's other
/// processors are at, and a process that is being started has descriptors of ours until its exec. Linux 5.9.
func detach(_ link: borrowing Descriptor) throws(SystemCallError) { try syscall("BPF_LINK_DETACH") { cbpf_detach(link.raw) } }

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
