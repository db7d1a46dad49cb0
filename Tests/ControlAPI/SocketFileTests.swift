import ControlAPI
import FakeControl
import Linux
import Support
import TTRPC
import Testing

struct SocketFileTests {
    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    private func status(_ path: String) async throws {
        _ = try await TTRPCClient(path: path).call(service: controlName, method: "Status", request: [], timeout: .seconds(30))
    }

    @Test("only the daemon's user can open the socket, and its group if there is one; it goes at the end")
    func modes() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/made/s"
        try await withControlServer(at: path, FakeControl()) { _ in
            #expect(mode(path) == 0o600)
            #expect(mode("\(folder.path)/made") == 0o750)
            try await status(path)
        }
        #expect(mode(path) == nil)
        try await withControlServer(at: path, group: "\(getegid())", FakeControl()) { _ in
            #expect(mode(path) == 0o660)
            try await status(path)
        }
    }

    @Test("the socket of a dead daemon is replaced")
    func stale() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/s"
        do { _ = try Descriptor(listeningAt: path) }
        #expect(mode(path) != nil)
        try await withControlServer(at: path, FakeControl()) { _ in try await status(path) }
    }

    @Test("the socket of a living daemon is refused, and lives on")
    func live() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/s"
        try await withControlServer(at: path, FakeControl()) { _ in
            await #expect(throws: SocketFileError(path: path, problem: .inUse)) {
                try await withControlServer(at: path, FakeControl()) { _ in }
            }
            try await status(path)
        }
        try await withControlServer(at: path, FakeControl()) { _ in try await status(path) }
    }

    @Test("a file in the socket's place is refused and kept")
    func file() async throws {
        let folder = try TemporaryFolder()
        try folder.write("keep", to: "s")
        await #expect(throws: SocketFileError(path: "\(folder.path)/s", problem: .notASocket)) {
            try await withControlServer(at: "\(folder.path)/s", FakeControl()) { _ in }
        }
        #expect(try folder.read("s") == "keep")
    }

    @Test("a folder that others may write to is refused", arguments: [0o777, 0o770, 0o1777] as [mode_t])
    func unsafeFolder(_ mode: mode_t) async throws {
        let folder = try TemporaryFolder()
        try syscall("chmod") { chmod(folder.path, mode) }
        await #expect(throws: SocketFileError(path: "\(folder.path)/s", problem: .unsafeFolder(folder.path))) {
            try await withControlServer(at: "\(folder.path)/s", FakeControl()) { _ in }
        }
    }

    @Test("a group that does not exist is named")
    func noGroup() async throws {
        let folder = try TemporaryFolder()
        await #expect(throws: SocketFileError(path: "\(folder.path)/s", problem: .noSuchGroup("no-such-group"))) {
            try await withControlServer(at: "\(folder.path)/s", group: "no-such-group", FakeControl()) { _ in }
        }
    }

    @Test("a path that is too long for a socket is an error with its name")
    func longPath() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/\(String(repeating: "x", count: 120))"
        await #expect(throws: SocketFileError.self) { try await withControlServer(at: path, FakeControl()) { _ in } }
    }
}
