import FakeControl
import Linux
import Support
import TTRPC
import Testing

struct FailureTests {
    @Test("without a daemon the error names the socket and asks whether one runs")
    func noDaemon() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/s"
        let missing = try await sallyport(["status", "--socket", path])
        #expect(missing.status == 2)
        #expect(missing.output == "")
        #expect(missing.errors == "sallyport: there is no socket \(path); is sallyportd running? If it has another socket, give --socket PATH\n")
        do { _ = try Descriptor(listeningAt: path) }
        let dead = try await sallyport(["flows"], environment: ["SALLYPORT_SOCKET": path])
        #expect(dead.status == 2)
        #expect(dead.errors == "sallyport: nobody answers on \(path); start sallyportd, or give --socket PATH\n")
    }

    @Test("a daemon's error is one sentence")
    func daemonsError() async throws {
        let outcome = try await sallyport(
            ["explain", "--from", "x", "--to", "y"], asking: FakeControl { $0.failure = RPCError(.notFound, "there is no processing unit x") })
        #expect(outcome.status == 2)
        #expect(outcome.errors == "sallyport: there is no processing unit x\n")
    }

    @Test("wrong usage is told apart", arguments: [["status", "--nonsense"], ["flows", "--since", "yesterday"], ["flows", "--reason", "x"], ["no-such-command"], ["flows", "-n", "0"]])
    func usage(_ arguments: [String]) async throws {
        let outcome = try await sallyport(arguments)
        #expect(outcome.status == 64)
        #expect(outcome.errors.hasPrefix("Error: "))
    }

    @Test("a reader that goes away ends the command quietly")
    func readerGoes() async throws {
        let folder = try TemporaryFolder()
        let fake = FakeControl { $0.metrics = String(repeating: "m 1\n", count: 500_000) }
        try await withControlServer(at: "\(folder.path)/s", fake) { _ in
            let outcome = try await sallyport(
                ["metrics", "--socket", "\(folder.path)/s"], through: ["/bin/sh", "-c", "\"$@\" | head -n 1", "sh"])
            #expect(outcome.status == 0)
            #expect(outcome.output == "m 1\n")
            #expect(outcome.errors == "")
        }
    }

    @Test("output that cannot be written is an error")
    func fullOutput() async throws {
        let folder = try TemporaryFolder()
        try await withControlServer(at: "\(folder.path)/s", FakeControl { $0.metrics = "m 1\n" }) { _ in
            let outcome = try await sallyport(
                ["metrics", "--socket", "\(folder.path)/s"], through: ["/bin/sh", "-c", "\"$@\" > /dev/full", "sh"])
            #expect(outcome.status == 2)
            #expect(outcome.errors == "sallyport: cannot write the output: write: No space left on device\n")
        }
    }

    @Test("completion scripts are made for each shell", arguments: ["bash", "zsh", "fish"])
    func completion(shell: String) async throws {
        let outcome = try await sallyport(["--generate-completion-script", shell])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("log-level"))
    }
}

/// As other users, which only root can become.
@Suite(.enabled(if: getuid() == 0, "needs root to run as another user"))
struct PermissionTests {
    /// A group number that belongs to nobody.
    private let group = 64_123

    private func run(_ arguments: [String], uid: Int, gid: Int, groups: String, mode: mode_t = 0o660) async throws -> (Outcome, FakeControl) {
        let folder = try TemporaryFolder()
        try syscall("chmod") { chmod(folder.path, 0o755) }
        // The products may lie where others cannot go.
        let program = "\(folder.path)/sallyport"
        try copyProgram(at: sallyportPath, to: program)
        let fake = FakeControl()
        let outcome = try await withControlServer(at: "\(folder.path)/s", group: "\(group)", fake) { _ in
            try syscall("chmod") { chmod("\(folder.path)/s", mode) }
            let identity = ["--reuid", "\(uid)", "--regid", "\(gid)"] + (groups.isEmpty ? ["--clear-groups"] : ["--groups", groups])
            return try await sallyport(
                arguments + ["--socket", "\(folder.path)/s"], through: ["/usr/bin/setpriv"] + identity, program: program)
        }
        return (outcome, fake)
    }

    @Test("the socket's group may read, by its first group or another", arguments: [(64_123, ""), (64_124, "64125,64123")])
    func groupReads(gid: Int, groups: String) async throws {
        let (outcome, _) = try await run(["metrics"], uid: 64_000, gid: gid, groups: groups)
        #expect(outcome.status == 0)
        let (refused, fake) = try await run(["reload"], uid: 64_000, gid: gid, groups: groups)
        #expect(refused.status == 2)
        #expect(refused.errors == "sallyport: Reload is for root and the daemon's user, and the caller is user 64000\n")
        #expect(fake.calls.isEmpty)
    }

    @Test("others cannot open the socket, and could not read if they did")
    func others() async throws {
        let (closed, _) = try await run(["metrics"], uid: 64_000, gid: 64_124, groups: "")
        #expect(closed.status == 2)
        #expect(closed.errors.contains("you may not open"))
        let (refused, fake) = try await run(["metrics"], uid: 64_000, gid: 64_124, groups: "64125", mode: 0o666)
        #expect(refused.status == 2)
        #expect(refused.errors.contains("user 64000 is none of these"))
        #expect(fake.calls.isEmpty)
    }
}
