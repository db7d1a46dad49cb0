// The file of JSON lines: whole lines only, rotated by size, and never in the way when the disk is full.

import Linux

/// Why records are not being written.
package enum FlowFileError: Error, Equatable, CustomStringConvertible {
    case call(SystemCallError)
    case notAFile(path: String)

    package var description: String {
        switch self {
        case .call(let error) where error.errno == ENOSPC || error.errno == EDQUOT:
            "\(error); free some space, or lower flowLog.maximumBytes or flowLog.rotatedFiles"
        case .call(let error) where error.errno == EACCES || error.errno == EROFS || error.errno == EPERM:
            "\(error); let the daemon's user write there, or set flowLog.path"
        case .call(let error): "\(error)"
        case .notAFile(let path): "\(path) is not a regular file; set flowLog.path to one that is"
        }
    }
}

/// Used by one thread.
package struct FlowFile: ~Copyable {
    private let path: String
    private let maximumBytes: Int
    private let rotatedFiles: Int
    private var file: Descriptor?
    private var size = 0
    /// The file does not end with a line's end: something was cut short before it was opened, or could not be taken back.
    private var isTorn = false

    package init(path: String, maximumBytes: Int, rotatedFiles: Int) {
        self.path = path
        self.maximumBytes = maximumBytes
        self.rotatedFiles = rotatedFiles
    }

    /// Closes the file; the next write opens the path again (after something else has renamed the file).
    package mutating func close() { file = nil }

    /// Appends lines, rotating between them where the size asks for it.
    ///
    /// - Parameter lines: Whole lines, each with its end.
    /// - Returns: How many lines were not written, and why; (0, nil) if all were.
    package mutating func write(_ lines: [UInt8]) -> (lost: Int, problem: FlowFileError?) {
        var rest = lines[...]
        do throws(FlowFileError) {
            while !rest.isEmpty {
                if file == nil { try open() }
                if let end = endOfFitting(rest) { try append(&rest, upTo: end) } else { try rotate() }
            }
            return (0, nil)
        } catch {
            return (rest.count { $0 == newline }, error)
        }
    }

    /// Where the lines end that the file has room for; nil if not even the first has, and would in another file.
    private func endOfFitting(_ lines: ArraySlice<UInt8>) -> Int? {
        let room = maximumBytes - size - (isTorn ? 1 : 0)
        if maximumBytes == 0 || lines.count <= room { return lines.endIndex }
        if let last = lines.prefix(max(room, 0)).lastIndex(of: newline) { return last + 1 }
        if size > 0 { return nil }
        return lines.firstIndex(of: newline).map { $0 + 1 } ?? lines.endIndex
    }

    /// Moves whole lines from the front of `lines` to the file, also those before a failure.
    private mutating func append(_ lines: inout ArraySlice<UInt8>, upTo end: Int) throws(FlowFileError) {
        guard let raw = file?.raw else { return }
        var done = lines.startIndex
        do throws(FlowFileError) {
            if isTorn {
                try attempt("write") { Glibc.write(raw, "\n", 1) }
                isTorn = false
                size += 1
            }
            while done < end {
                done += try attempt("write") {
                    lines[done..<end].withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
                }
            }
            size += end - lines.startIndex
            lines = lines[end...]
        } catch {
            // A full disk takes part of a line: cut it off, so that the file stays whole lines.
            let whole = lines[..<done].lastIndex(of: newline).map { $0 + 1 } ?? lines.startIndex
            size += whole - lines.startIndex
            isTorn = isTorn || (whole < done && ftruncate(raw, size) != 0)
            lines = lines[whole...]
            throw error
        }
    }

    private mutating func open() throws(FlowFileError) {
        // O_NONBLOCK: a FIFO without a reader must not hold the thread.
        let raw = try attempt("open") { clinux_open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o640) }
        let opened = Descriptor(owning: raw)
        var status = stat()
        try attempt("fstat") { fstat(raw, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        size = Int(status.st_size)
        var last = newline
        if size > 0 { try attempt("pread") { pread(raw, &last, 1, off_t(size - 1)) } }
        isTorn = last != newline
        file = consume opened
    }

    /// PATH.1 becomes PATH.2 and so on, PATH becomes PATH.1, and the next write opens a new PATH.
    private mutating func rotate() throws(FlowFileError) {
        // ENOENT: someone has removed the file in the meantime.
        if rotatedFiles == 0 { try attempt("unlink") { unlink(path) == 0 || clinux_errno() == ENOENT ? 0 : -1 } }
        for number in stride(from: rotatedFiles, to: 0, by: -1) {
            let from = number == 1 ? path : "\(path).\(number - 1)"
            try attempt("rename") { rename(from, "\(path).\(number)") == 0 || clinux_errno() == ENOENT ? 0 : -1 }
        }
        file = nil
    }

    @discardableResult
    private func attempt<Result: FixedWidthInteger & SignedInteger>(
        _ call: StaticString, _ body: () -> Result
    ) throws(FlowFileError) -> Result {
        do throws(SystemCallError) {
            return try syscall(call, path, body)
        } catch {
            throw .call(error)
        }
    }
}

private let newline = UInt8(ascii: "\n")
