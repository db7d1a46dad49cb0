// Where steering outlives the process: files of a BPF file system that stand for its links and maps.

import CBPF
import Linux

/// The directory of one daemon in the BPF file system. As long as its files are there, what they stand for is at work, whether a
/// process has it open or not; so what was steered is refused after a crash, and the next daemon finds it.
///
/// They are `SocketSteering`'s maps and links, and for each unit its link, whose name is the cookie of the network namespace.
public struct SteeringPins: Sendable {
    let directory: String

    /// The names of `SocketSteering`'s maps by namespace.
    static let units = "units", sockets = "sockets"

    /// Of the daemon that keeps its state in `stateDirectory`. Two daemons have two of these.
    public init(stateDirectory: String) {
        // Names in this file system have no dots, bpf(2); so as systemd escapes paths, and dots, too.
        let name = stateDirectory.split(separator: "/").map { part in
            part.utf8.map { byte in
                let character = Character(UnicodeScalar(byte))
                return character.isASCII && (character.isLetter || character.isNumber || character == "_")
                    ? String(character) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }.joined()
        }
        directory = "\(SteeringPins.home)/\(name.joined(separator: "-"))"
    }

    private static let fileSystem = "/sys/fs/bpf"
    private static let home = "\(fileSystem)/sallyport"

    /// - Throws: `noPinning` where there is no BPF file system, and a crash would let pass what should be refused.
    static func checkFileSystem() throws(InterceptionError) {
        guard cbpf_is_file_system(fileSystem) != 0 else { throw .noPinning("\(fileSystem) is no BPF file system") }
    }

    /// Makes the directory, if it is not there.
    func prepare() throws(InterceptionError) {
        try SteeringPins.checkFileSystem()
        for path in [SteeringPins.home, directory] where mkdir(path, 0o700) != 0 && clinux_errno() != EEXIST {
            throw .noPinning("\(SystemCallError(call: "mkdir", errno: clinux_errno(), subject: path))")
        }
    }

    /// What a file stands for; nil without one.
    func open(_ name: String) throws(SystemCallError) -> Descriptor? {
        do throws(SystemCallError) {
            return Descriptor(owning: try syscall("BPF_OBJ_GET", path(name)) { cbpf_pinned(path(name)) })
        } catch where error.errno == ENOENT || error.errno == ENOTDIR {
            return nil
        }
    }

    /// Puts a file there that stands for a map or a link.
    func pin(_ object: borrowing Descriptor, as name: String) throws(SystemCallError) {
        let raw = object.raw
        try syscall("BPF_OBJ_PIN", path(name)) { cbpf_pin(raw, path(name)) }
    }

    /// What no file stands for and no process has open goes.
    func remove(_ name: String) throws(SystemCallError) {
        do throws(SystemCallError) {
            try syscall("unlink", path(name)) { unlink(path(name)) }
        } catch where error.errno == ENOENT || error.errno == ENOTDIR {}
    }

    /// Ends what a daemon left behind in a namespace, and nothing where it left nothing.
    func release(_ cookie: UInt64) throws(SystemCallError) {
        for name in [SteeringPins.units, SteeringPins.sockets] {
            if let map = try open(name) { try BPFMap(owning: map, name: name).remove(cookie) }
        }
        try end("\(cookie)")
    }

    /// Removes a file, and takes away at once what it attaches, if it is a link's.
    private func end(_ name: String) throws(SystemCallError) {
        do throws(SystemCallError) {
            if let object = try open(name) { try detach(object) }
        } catch where error.errno == EINVAL {
            // A map's.
        }
        try remove(name)
    }

    /// Ends the steering of a daemon that is gone, in all namespaces, and removes its directory.
    public func removeAll() throws(SystemCallError) {
        guard let names = names() else { return }
        for name in names { try end(name) }
        try syscall("rmdir", directory) { rmdir(directory) }
        // Another daemon's may be there, too.
        rmdir(SteeringPins.home)
    }

    /// Forgets namespaces that are gone: nothing else would, since they end without a word.
    func sweep() throws(SystemCallError) {
        for cookie in (names() ?? []).compactMap(UInt64.init) {
            guard let link = try open("\(cookie)"), cbpf_namespace(link.raw) == 0 else { continue }
            try release(cookie)
        }
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)" }

    private func names() -> [String]? {
        guard let listing = opendir(directory) else { return nil }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
