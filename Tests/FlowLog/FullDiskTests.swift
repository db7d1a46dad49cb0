import FlowLog
import Foundation
import Linux
import Synchronization
import Testing

/// On a small file system of its own, which only this test's threads see.
struct FullDiskTests {
    @Test("a full disk loses whole records by number, says so once, and is written to again when there is room", .enabled(if: getuid() == 0, "needs root for mount(2)"))
    func fullDisk() throws {
        let folder = try Folder()
        let failure = Mutex<(any Error)?>(nil)
        // Threads inherit the mount namespace of the one that starts them; the test's own stays as it is.
        let thread = try RunningThread(name: "full-disk") {
            do {
                try syscall("unshare") { clinux_unshare(Int32(CLINUX_CLONE_NEWNS)) }
                try syscall("mount") { mount("none", "/", nil, UInt(MS_REC) | UInt(MS_PRIVATE), nil) }
                try syscall("mount") { mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") }
                try self.run(in: folder)
            } catch {
                failure.withLock { $0 = error }
            }
        }
        thread.join()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    private func run(in folder: Folder) throws {
        let ballast = folder.path("ballast")
        try Data(count: 40 << 10).write(to: URL(fileURLWithPath: ballast))
        let recorded = RecordedLog()
        let log = try FlowLog(configuration: .init(path: folder.path("f")), enforcer: "e", logger: recorded.logger)
        defer { log.stop() }
        for start in stride(from: 0, to: 200, by: 20) {
            log.append(flows(start..<start + 20))
            log.flush()
        }
        let before = try numbers(inLines: folder.read("f"))
        #expect(log.counters.lostByFile > 0)
        #expect(UInt64(before.count) + log.counters.lostByFile == 200)
        #expect(log.counters.fileProblem?.contains("No space left on device") == true)
        #expect(recorded.messages == ["error flow-log-not-written"])

        #expect(unlink(ballast) == 0)
        log.append(flows(200..<220))
        log.flush()
        #expect(try numbers(inLines: folder.read("f")) == before + Array(200..<220))
        #expect(log.counters.fileProblem == nil)
        #expect(recorded.messages == ["error flow-log-not-written", "notice flow-log-written-again"])
    }
}
