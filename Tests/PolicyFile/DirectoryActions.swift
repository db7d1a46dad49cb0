// What editors, kubelet and administrators do to files.

import Linux
import Support

extension TemporaryDirectory {
    /// The path of an entry.
    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file in place, as a shell's `>` does.
    func write(_ text: String, to name: String) throws { try write(name, text) }

    /// Writes a file beside and renames it over the old one, as editors do.
    func replace(_ name: String, with text: String) throws {
        try write(text, to: ".\(name).new")
        try move(".\(name).new", to: name)
    }

    func move(_ name: String, to other: String) throws {
        try syscall("rename", name) { rename(self(name), self(other)) }
    }

    func makeDirectory(_ name: String) throws { try syscall("mkdir", name) { mkdir(self(name), 0o755) } }

    func link(_ name: String, to target: String) throws { try syscall("symlink", name) { symlink(target, self(name)) } }

    /// Removes an entry with all below it, without following links.
    func remove(_ name: String) { removeTree(self(name)) }
}

private func removeTree(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR, let stream = opendir(path) else {
        unlink(path)
        return
    }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
        })
    }
    closedir(stream)
    for name in names where name != "." && name != ".." { removeTree("\(path)/\(name)") }
    rmdir(path)
}
