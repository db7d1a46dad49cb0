import Linux
import Support
import Testing

@Suite("Watching a folder", .timeLimit(.minutes(1)))
struct FolderWatchTests {
    let folder: TemporaryFolder
    /// Looks again by itself only after longer than the test may last, so that what is seen was seen by inotify.
    let timing = FolderWatch.Timing(settling: 10, longestBurst: 200, lookAgain: 600_000)

    init() throws {
        folder = try TemporaryFolder()
        for name in ["a", "b"] {
            mkdir("\(folder.path)/\(name)", 0o700)
            try folder.write("before", to: "\(name)/file")
        }
    }

    @Test("a file written, one moved in, one removed and one whose mode changes are each reported")
    func files() async throws {
        let watch = try FolderWatch(folder.path + "/a", timing: timing)
        var changes = watch.changes.makeAsyncIterator()
        try folder.write("after", to: "a/file")
        #expect(await changes.next() != nil)
        rename("\(folder.path)/b/file", "\(folder.path)/a/other")
        #expect(await changes.next() != nil)
        unlink("\(folder.path)/a/other")
        #expect(await changes.next() != nil)
        chmod("\(folder.path)/a/file", 0o600)
        #expect(await changes.next() != nil)
    }

    @Test("a folder that is made later, replaced by another, or swapped by a symbolic link is watched where it is now")
    func replaced() async throws {
        let path = folder.path + "/watched"
        let watch = try FolderWatch(path, timing: timing)
        var changes = watch.changes.makeAsyncIterator()
        symlink("a", path)
        #expect(await changes.next() != nil)
        try folder.write("1", to: "a/file")
        #expect(await changes.next() != nil)
        symlink("b", path + ".new")
        rename(path + ".new", path)
        #expect(await changes.next() != nil)
        try folder.write("2", to: "b/file")
        #expect(await changes.next() != nil)
        unlink(path)
        #expect(await changes.next() != nil)
        rename("\(folder.path)/a", path)
        #expect(await changes.next() != nil)
        try folder.write("3", to: "watched/file")
        #expect(await changes.next() != nil)
    }

    @Test("a folder made level by level is found at each")
    func levels() async throws {
        let watch = try FolderWatch(folder.path + "/x/y/z", timing: timing)
        var changes = watch.changes.makeAsyncIterator()
        for path in ["x", "x/y", "x/y/z"] {
            mkdir("\(folder.path)/\(path)", 0o700)
            #expect(await changes.next() != nil)
        }
        try folder.write("1", to: "x/y/z/file")
        #expect(await changes.next() != nil)
    }

    @Test("writing that never pauses is reported all the same")
    func burst() async throws {
        let watch = try FolderWatch(folder.path + "/a", timing: timing)
        let writer = Task {
            while !Task.isCancelled { try folder.write("x", to: "a/file") }
        }
        defer { writer.cancel() }
        var changes = watch.changes.makeAsyncIterator()
        for _ in 0..<3 { #expect(await changes.next() != nil) }
    }

    @Test("a neighbour's changes are not reported, and stopping ends the stream")
    func neighbours() async throws {
        let watch = try FolderWatch(folder.path + "/a", timing: timing)
        try folder.write("x", to: "neighbour")
        try folder.write("x", to: "b/file")
        let count = Task {
            var count = 0
            for await _ in watch.changes { count += 1 }
            return count
        }
        // Longer than it takes to settle: what was to be reported would be by now.
        usleep(50_000)
        watch.stop()
        #expect(await count.value == 0)
    }

    @Test("cancelling the reader ends the stream")
    func cancellation() async throws {
        let watch = try FolderWatch(folder.path + "/a", timing: timing)
        let reader = Task { for await _ in watch.changes {} }
        reader.cancel()
        await reader.value
    }
}
