// Reading the files of a directory, those that changed.

import Linux

/// One look at the directory.
package struct DirectoryReading: Sendable {
    package enum Content: Sendable {
        case bytes([UInt8])
        /// The same as at the last look.
        case unchanged
        case unreadable(String)
    }

    package struct File: Sendable {
        package let path: String
        package let content: Content

        package init(path: String, content: Content) {
            self.path = path
            self.content = content
        }
    }

    package let files: [File]
    /// Names of entries that are symbolic links: their targets must be watched too.
    package let links: [String]

    package init(files: [File], links: [String] = []) {
        self.files = files
        self.links = links
    }
}

/// Whether a file of this name holds policy. Hidden files, and the temporary ones of editors ("x.yaml~",
/// "#x.yaml#", ".x.yaml.swp"), do not.
func isPolicyFileName(_ name: some StringProtocol) -> Bool {
    !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
}

struct DirectoryReader {
    /// 10,000 services take about 5 MiB.
    static let maximumFile = 16 << 20
    static let maximumFiles = 50_000
    /// A file changed less than this before it was read may change again without a new time stamp
    /// (git's "racy" index entries; coarse clocks tick every 1 to 10 ms, network file systems every 1 to 2 s).
    static let trustAfter: Int64 = 3_000_000_000

    private var signatures: [String: FileSignature] = [:]

    /// Makes the next look read every file.
    mutating func forget() { signatures = [:] }

    /// - Throws: If the directory itself cannot be listed.
    mutating func read(_ directory: String) throws(SystemCallError) -> DirectoryReading {
        let names = try policyFileNames(in: directory)
        var next: [String: FileSignature] = [:]
        var files: [DirectoryReading.File] = []
        var links: [String] = []
        for (index, name) in names.enumerated() {
            let path = directory + "/" + name
            if isLink(path) { links.append(name) }
            guard index < DirectoryReader.maximumFiles else {
                files.append(.init(path: path, content: .unreadable("is one of more than \(DirectoryReader.maximumFiles) files; put several documents into one")))
                break
            }
            do throws(Unreadable) {
                let (content, signature) = try look(at: path, last: signatures[path])
                next[path] = signature
                files.append(.init(path: path, content: content))
            } catch {
                files.append(.init(path: path, content: .unreadable(error.reason)))
            }
        }
        signatures = next
        return DirectoryReading(files: files, links: links)
    }

    private struct Unreadable: Error { let reason: String }

    private func look(
        at path: String, last: FileSignature?
    ) throws(Unreadable) -> (content: DirectoryReading.Content, signature: FileSignature?) {
        do {
            // Not to wait for the writer of a fifo.
            let file = try Descriptor(opening: path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
            var status = stat()
            try syscall("fstat", path) { fstat(file.raw, &status) }
            guard status.st_mode & S_IFMT == S_IFREG else { throw Unreadable(reason: "is no regular file; remove it, or give it another name") }
            guard status.st_size <= DirectoryReader.maximumFile else { throw tooLarge }
            let signature = FileSignature(status)
            if let last, last == signature { return (.unchanged, signature) }
            let bytes = try contents(of: file, expecting: Int(status.st_size), path)
            return (.bytes(bytes), signature.isOlder(than: clinux_realtime() - DirectoryReader.trustAfter) ? signature : nil)
        } catch let error as Unreadable {
            throw error
        } catch let error as SystemCallError {
            throw Unreadable(reason: "cannot be read: \(String(cString: strerror(error.errno)))")
        } catch {
            throw Unreadable(reason: "cannot be read: \(error)")
        }
    }

    private var tooLarge: Unreadable {
        Unreadable(reason: "is larger than \(DirectoryReader.maximumFile >> 20) MiB; split it into several files")
    }

    private func contents(of file: borrowing Descriptor, expecting size: Int, _ path: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let raw = file.raw
        while true {
            // One byte more than expected shows the end without growing again.
            let room = max(4096, size + 1 - bytes.count)
            let start = bytes.count
            guard start <= DirectoryReader.maximumFile else { throw tooLarge }
            var chunk = [UInt8](repeating: 0, count: room)
            let count = try syscall("read", path) { Glibc.read(raw, &chunk, room) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    private func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    private func policyFileNames(in directory: String) throws(SystemCallError) -> [String] {
        guard let stream = opendir(directory) else { throw SystemCallError(call: "opendir", errno: clinux_errno(), subject: directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
            }
            if isPolicyFileName(name) { names.append(name) }
        }
        return names.sorted()
    }
}

/// What changes whenever a file does.
private struct FileSignature: Equatable {
    let device: UInt
    let inode: UInt
    let size: Int
    let modified: Int64
    let changed: Int64

    init(_ status: stat) {
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        size = Int(status.st_size)
        modified = FileSignature.nanoseconds(status.st_mtim)
        changed = FileSignature.nanoseconds(status.st_ctim)
    }

    func isOlder(than moment: Int64) -> Bool { max(modified, changed) < moment }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        // A file system may hold any time at all.
        Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ Int64(time.tv_nsec)
    }
}
