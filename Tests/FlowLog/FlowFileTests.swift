import FlowLog
import Foundation
import Linux
import Testing

struct FlowFileTests {
    private func lines(_ range: Range<Int>, width: Int = 10) -> [UInt8] {
        range.flatMap { number in
            let digits = String(number)
            return Array((String(repeating: "0", count: width - 1 - digits.count) + digits + "\n").utf8)
        }
    }

    @Test("files never grow past their size, lines are never split, and the oldest file goes", arguments: [1, 3, 7, 100])
    func rotation(linesPerWrite: Int) throws {
        let folder = try Folder()
        var file = FlowFile(path: folder.path("f"), maximumBytes: 95, rotatedFiles: 2)
        for start in stride(from: 0, to: 100, by: linesPerWrite) {
            let (lost, problem) = file.write(lines(start..<min(start + linesPerWrite, 100)))
            #expect(lost == 0 && problem == nil)
        }
        // Nine lines of ten bytes fit; a batch is split only between lines.
        #expect(try folder.names == ["f", "f.1", "f.2"])
        let kept = try folder.read("f.2") + folder.read("f.1") + folder.read("f")
        let numbers = kept.split(separator: "\n").compactMap { Int($0) }
        #expect(numbers == Array((100 - numbers.count)..<100))
        for name in ["f", "f.1", "f.2"] { #expect(try folder.size(name) <= 95) }
        #expect(try folder.size("f.1") == 90)
        #expect(try folder.size("f.2") == 90)
    }

    @Test("a file that is exactly full is put aside only for the next line", arguments: [99, 100, 101])
    func boundary(maximum: Int) throws {
        let folder = try Folder()
        var file = FlowFile(path: folder.path("f"), maximumBytes: maximum, rotatedFiles: 1)
        _ = file.write(lines(0..<10))
        #expect(try folder.names == (maximum < 100 ? ["f", "f.1"] : ["f"]))
        _ = file.write(lines(10..<11))
        #expect(try folder.names == ["f", "f.1"])
        #expect(try folder.read("f.1") + folder.read("f") == String(decoding: lines(0..<11), as: UTF8.self))
    }

    @Test("a line longer than a file may be has a file to itself")
    func longLine() throws {
        let folder = try Folder()
        var file = FlowFile(path: folder.path("f"), maximumBytes: 50, rotatedFiles: 5)
        let (lost, problem) = file.write(lines(0..<1) + lines(1..<2, width: 200) + lines(2..<3))
        #expect(lost == 0 && problem == nil)
        #expect(try folder.size("f.2") == 10)
        #expect(try folder.size("f.1") == 200)
        #expect(try folder.size("f") == 10)
    }

    @Test("with no file to put aside the full one is removed")
    func noRotatedFiles() throws {
        let folder = try Folder()
        var file = FlowFile(path: folder.path("f"), maximumBytes: 50, rotatedFiles: 0)
        _ = file.write(lines(0..<12))
        #expect(try folder.names == ["f"])
        #expect(try folder.read("f") == String(decoding: lines(10..<12), as: UTF8.self))
    }

    @Test("without a size the file is left to others to rotate, and opened again when told")
    func reopened() throws {
        let folder = try Folder()
        var file = FlowFile(path: folder.path("f"), maximumBytes: 0, rotatedFiles: 1)
        _ = file.write(lines(0..<1000))
        try FileManager.default.moveItem(atPath: folder.path("f"), toPath: folder.path("old"))
        _ = file.write(lines(1000..<1001))
        #expect(try folder.names == ["old"])
        file.close()
        _ = file.write(lines(1001..<1002))
        #expect(try folder.read("f") == String(decoding: lines(1001..<1002), as: UTF8.self))
        #expect(try folder.size("old") == 10_010)
    }

    @Test("a file that a crash left in the middle of a line goes on with a line of its own")
    func tornLine() throws {
        let folder = try Folder()
        try Data("{\"torn".utf8).write(to: URL(fileURLWithPath: folder.path("f")))
        var file = FlowFile(path: folder.path("f"), maximumBytes: 1000, rotatedFiles: 1)
        _ = file.write(lines(0..<1))
        _ = file.write(lines(1..<2))
        #expect(try folder.read("f") == "{\"torn\n000000000\n000000001\n")
    }

    @Test("others may not read the file")
    func mode() throws {
        let folder = try Folder()
        var file = FlowFile(path: folder.path("f"), maximumBytes: 0, rotatedFiles: 1)
        _ = file.write(lines(0..<1))
        var status = stat()
        #expect(stat(folder.path("f"), &status) == 0)
        #expect(status.st_mode & 0o137 == 0)
    }

    @Test("a FIFO, a link and a folder are refused and harm nothing", arguments: ["fifo", "link", "folder"])
    func notAFile(kind: String) throws {
        let folder = try Folder()
        let path = folder.path(kind)
        switch kind {
        case "fifo": #expect(mkfifo(path, 0o600) == 0)
        case "link":
            try Data("keep".utf8).write(to: URL(fileURLWithPath: folder.path("other")))
            #expect(symlink(folder.path("other"), path) == 0)
        default: #expect(mkdir(path, 0o700) == 0)
        }
        var file = FlowFile(path: path, maximumBytes: 0, rotatedFiles: 1)
        let (lost, problem) = file.write(lines(0..<3))
        #expect(lost == 3)
        #expect(problem != nil)
        if kind == "link" { #expect(try folder.read("other") == "keep") }
    }

    @Test("a file that cannot be put aside takes no more lines, and those that fitted are kept", .enabled(if: getuid() == 0, "needs root"))
    func rotationFails() throws {
        let folder = try Folder()
        // Something that is not empty and not a file cannot be replaced by rename(2), by root neither.
        #expect(mkdir(folder.path("f.1"), 0o700) == 0)
        var file = FlowFile(path: folder.path("f"), maximumBytes: 50, rotatedFiles: 1)
        let (lost, problem) = file.write(lines(0..<8))
        #expect(lost == 3)
        #expect(problem?.description.contains("rename") == true)
        #expect(try folder.size("f") == 50)
        #expect(rmdir(folder.path("f.1")) == 0)
        let again = file.write(lines(8..<9))
        #expect(again.lost == 0 && again.problem == nil)
        #expect(try folder.read("f") == String(decoding: lines(8..<9), as: UTF8.self))
    }
}
