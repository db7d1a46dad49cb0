// What happens to files while they are watched.

import Linux
import PolicyFile
import SallyportProtocol
import Support
import Testing

@Suite("A watched directory", .timeLimit(.minutes(1)))
struct WatchTests {
    @Test("a file that appears, is replaced by a rename, and is deleted")
    func lifeOfAFile() async throws {
        let directory = try WatchedDirectory()
        try await directory.until("")
        try directory.root.write(unit("a"), to: "policy.d/a.yaml")
        try await directory.until("a v=1")
        try directory.root.write(unit("a", tag: "v=2"), to: "policy.d/.a.yaml.swp")
        try directory.root.move("policy.d/.a.yaml.swp", to: "policy.d/a.yaml")
        try await directory.until("a v=2")
        try directory.root.write(unit("b"), to: "policy.d/b.json")
        try await directory.until("a v=2, b v=1")
        directory.root.remove("policy.d/a.yaml")
        try await directory.until("b v=1")
        directory.root.remove("policy.d/b.json")
        try await directory.until("")
    }

    @Test("a file that is truncated and written piece by piece never loses a document on the way")
    func truncateAndWrite() async throws {
        let directory = try WatchedDirectory()
        try directory.root.write(file(unit("a"), unit("b")), to: "policy.d/x.yaml")
        try await directory.until("a v=1, b v=1")
        let met = directory.history.count
        let writer = try Descriptor(opening: directory.root("policy.d/x.yaml"), flags: O_WRONLY | O_TRUNC)
        for piece in Array(file(unit("a", tag: "v=2"), unit("b", tag: "v=2")).utf8).split(separator: 0x0a) {
            let line = piece + [0x0a]
            let raw = writer.raw
            try syscall("write") { line.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) } }
            // Something else that comes to rest meanwhile.
            try directory.root.replace("other", with: "")
            try directory.root.move("other", to: "policy.d/other.txt")
        }
        close(writer.release())
        try await directory.until("a v=2, b v=2")
        #expect(directory.history.dropFirst(met).allSatisfy { $0.objects.count == 2 && $0.problems.isEmpty })
    }

    @Test("a ConfigMap mounted by Kubernetes: the swap of its ..data link brings all new files at once")
    func configMap() async throws {
        let directory = try WatchedDirectory { root in
            try root.makeDirectory("policy.d")
            try root.makeDirectory("policy.d/..1")
            try root.write(unit("a"), to: "policy.d/..1/a.yaml")
            try root.write(unit("b"), to: "policy.d/..1/b.yaml")
            try root.link("policy.d/..data", to: "..1")
            try root.link("policy.d/a.yaml", to: "..data/a.yaml")
            try root.link("policy.d/b.yaml", to: "..data/b.yaml")
        }
        try await directory.until("a v=1, b v=1")
        let met = directory.history.count
        for version in 2...4 {
            try directory.root.makeDirectory("policy.d/..\(version)")
            try directory.root.write(unit("a", tag: "v=\(version)"), to: "policy.d/..\(version)/a.yaml")
            try directory.root.write(unit("b", tag: "v=\(version)"), to: "policy.d/..\(version)/b.yaml")
            try directory.root.link("policy.d/..data_tmp", to: "..\(version)")
            try directory.root.move("policy.d/..data_tmp", to: "policy.d/..data")
            directory.root.remove("policy.d/..\(version - 1)")
            try await directory.until("a v=\(version), b v=\(version)")
        }
        #expect(directory.history.dropFirst(met).map { summary($0.objects.values) } == ["a v=2, b v=2", "a v=3, b v=3", "a v=4, b v=4"])
    }

    @Test("a file that is a link to elsewhere follows what happens there, through links between directories")
    func linkedFile() async throws {
        let directory = try WatchedDirectory { root in
            try root.makeDirectory("policy.d")
            try root.makeDirectory("real")
            try root.write(unit("a"), to: "real/a.txt")
            try root.link("shelf", to: "real")
            try root.link("policy.d/a.yaml", to: "../shelf/a.txt")
        }
        try await directory.until("a v=1")
        try directory.root.write(unit("a", tag: "v=2"), to: "real/a.txt")
        try await directory.until("a v=2")
        try directory.root.makeDirectory("newer")
        try directory.root.write(unit("a", tag: "v=3"), to: "newer/a.txt")
        try directory.root.link("shelf.new", to: "newer")
        try directory.root.move("shelf.new", to: "shelf")
        try await directory.until("a v=3")
        try directory.root.write(unit("a", tag: "v=4"), to: "newer/a.txt")
        try await directory.until("a v=4")
        // The link now leads nowhere: that is a mistake, not a deletion.
        directory.root.remove("newer")
        let state = try await directory.until("a v=4", problems: 1)
        #expect(state.problems[0].message == "cannot be read: No such file or directory; its last good documents stay in force")
        directory.root.remove("policy.d/a.yaml")
        try await directory.until("")
    }

    @Test("the directory itself is a link, and the link is swapped")
    func linkedDirectory() async throws {
        let directory = try WatchedDirectory("current") { root in
            try root.makeDirectory("one")
            try root.makeDirectory("two")
            try root.write(unit("a"), to: "one/a.yaml")
            try root.write(unit("b"), to: "two/b.yaml")
            try root.link("current", to: "one")
        }
        try await directory.until("a v=1")
        try directory.root.link("next", to: "two")
        try directory.root.move("next", to: "current")
        try await directory.until("b v=1")
        try directory.root.write(unit("c"), to: "two/c.yaml")
        try await directory.until("b v=1, c v=1")
    }

    @Test("a directory that is removed keeps its documents in force, and one that is made anew is read")
    func recreated() async throws {
        let directory = try WatchedDirectory("etc/policy.d") { root in
            try root.makeDirectory("etc")
            try root.makeDirectory("etc/policy.d")
            try root.write(unit("a"), to: "etc/policy.d/a.yaml")
        }
        try await directory.until("a v=1")
        try directory.root.move("etc", to: "gone")
        var state = try await directory.until("a v=1", problems: 1)
        #expect(state.problems[0].message == "the directory does not exist; create it, or set another one; the documents it held stay in force")
        #expect(state.isKnown && state.trouble == state.problems[0].message)
        try directory.root.makeDirectory("etc")
        try directory.root.makeDirectory("etc/policy.d")
        try directory.root.write(unit("b"), to: "etc/policy.d/b.yaml")
        state = try await directory.until("b v=1")
        #expect(state.trouble.isEmpty)
    }

    @Test("a directory that is not there at first is waited for, and nothing is known until it comes")
    func missingAtFirst() async throws {
        let directory = try WatchedDirectory("a/b/policy.d") { _ in }
        let state = try await directory.until("", problems: 1)
        #expect(!state.isKnown && state.trouble == "the directory does not exist; create it, or set another one")
        for name in ["a", "a/b", "a/b/policy.d"] { try directory.root.makeDirectory(name) }
        #expect(try await directory.until("").isKnown)
    }

    @Test("a directory that was emptied has no policy: all documents are gone, and that is no problem")
    func emptied() async throws {
        let directory = try WatchedDirectory()
        for name in ["a", "b", "c"] { try directory.root.write(unit(name), to: "policy.d/\(name).yaml") }
        try await directory.until("a v=1, b v=1, c v=1")
        for name in ["a", "b", "c"] { directory.root.remove("policy.d/\(name).yaml") }
        let state = try await directory.until("")
        #expect(state.isKnown && state.trouble.isEmpty)
    }

    @Test("another directory is read when it is set, and its documents replace all")
    func anotherDirectory() async throws {
        let directory = try WatchedDirectory { root in
            try root.makeDirectory("policy.d")
            try root.makeDirectory("other.d")
            try root.write(unit("a"), to: "policy.d/a.yaml")
            try root.write(unit("b"), to: "other.d/a.yaml")
        }
        try await directory.until("a v=1")
        directory.use("missing.d")
        try await directory.until("a v=1", problems: 1)
        directory.use("other.d")
        try await directory.until("b v=1")
    }

    @Test("hidden files and the temporary files of editors are not read")
    func ignoredNames() async throws {
        let directory = try WatchedDirectory()
        for name in [".a.yaml", ".a.yaml.swp", "a.yaml~", "#a.yaml#", ".#a.yaml", "4913", "a.yaml.new", "README", "a.yamlx"] {
            try directory.root.write(unit("a"), to: "policy.d/\(name)")
        }
        try directory.root.write(unit("b"), to: "policy.d/b.yml")
        try await directory.until("b v=1")
        #expect(directory.history.allSatisfy { !summary($0.objects.values).contains("a v=1") })
    }

    @Test("what is no regular file, or too large, is a problem and keeps nobody waiting")
    func notFiles() async throws {
        let directory = try WatchedDirectory()
        try directory.root.makeDirectory("policy.d/a.yaml")
        mkfifo(directory.root("policy.d/b.yaml"), 0o644)
        try directory.root.write("", to: "policy.d/c.yaml")
        truncate(directory.root("policy.d/c.yaml"), 17 << 20)
        try directory.root.link("policy.d/d.yaml", to: "d.yaml")
        try directory.root.write(unit("e"), to: "policy.d/e.yaml")
        let state = try await directory.until("e v=1", problems: 4)
        #expect(state.problems.map(\.message) == [
            "is no regular file; remove it, or give it another name", "is no regular file; remove it, or give it another name",
            "is larger than 16 MiB; split it into several files", "cannot be read: Too many levels of symbolic links",
        ])
        #expect(state.problems.map(\.origin) == ["a", "b", "c", "d"].map { directory.root("policy.d/\($0).yaml") })
    }

    @Test("a file that changes all the time is read nevertheless")
    func neverAtRest() async throws {
        let directory = try WatchedDirectory()
        try await directory.until("")
        let writer = Task.detached {
            while !Task.isCancelled {
                try directory.root.write(unit("busy"), to: "policy.d/busy.yaml")
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        defer { writer.cancel() }
        try await directory.until { $0.objects.count == 1 }
    }

    @Test("events that the kernel dropped are noticed: everything is to be read again")
    func overflow() async throws {
        let root = try TemporaryDirectory()
        var watches = try DirectoryWatches()
        _ = try watches.follow(root.path, links: [])
        let limit = try #require(Int(readText("/proc/sys/fs/inotify/max_queued_events")))
        // Two events that differ from the last each time.
        for turn in 0...limit / 2 {
            try root.write("", to: turn % 2 == 0 ? "a.yaml" : "b.yaml")
        }
        let activity = try watches.look()
        #expect(activity.isRelevant && activity.isIncomplete)
        let quiet = try watches.look()
        #expect(!quiet.isRelevant)
    }

    private func readText(_ path: String) throws -> String {
        let file = try Descriptor(opening: path, flags: O_RDONLY)
        var buffer = [UInt8](repeating: 0, count: 64)
        let raw = file.raw
        let count = try syscall("read", path) { read(raw, &buffer, buffer.count) }
        return String(decoding: buffer[..<count].prefix { $0 != 0x0a }, as: UTF8.self)
    }
}
