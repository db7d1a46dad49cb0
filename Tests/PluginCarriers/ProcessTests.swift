import Linux
import PluginCarriers
import SallyportProtocol
import Support
import Testing

@Suite("A plugin's process", .timeLimit(.minutes(2)))
struct ProcessTests {
    let workshop: PluginWorkshop
    init() throws { workshop = try PluginWorkshop() }

    private func surroundings(user: PluginUser? = nil) async throws -> [String] {
        let path = try await workshop.buildProgram("surroundings")
        // Another user must be able to reach it.
        chmod(workshop.directory, 0o755)
        let plugin = try await StartedPlugin(PluginFile(path: path), through: .outOfProcess, user: user)
        #expect(await plugin.process?.exit() == .exited(5))
        return plugin.log.all
    }

    @Test("gets nothing of the daemon but four descriptors and limits")
    func surroundings() async throws {
        #expect(
            try await surroundings().sorted() == [
                "3 a line without an end", "5 a line without a level", "6 arguments 2 surroundings", "6 blocked 0 ignored 0",
                "6 core 0 files 256 data 536870912", "6 death signal 9", "6 descriptor 0", "6 descriptor 1", "6 descriptor 2", "6 descriptor 3",
                "6 directory /", "6 environment 1", "6 no_new_privs 1", "6 umask 77", "6 user \(getuid()) \(getgid()) groups \(getgroups(0, nil))",
            ])
    }

    @Test("runs as the user of its drop-in, with that user's groups alone", .enabled(if: geteuid() == 0, "needs root"))
    func user() async throws {
        let lines = try await surroundings(user: PluginUser(named: "nobody"))
        #expect(lines.contains("6 user 65534 65534 groups 1"))
        #expect(lines.contains("6 no_new_privs 1"))
        #expect(lines.contains("6 death signal 9"))
    }

    @Test("a user who is not there is named")
    func unknownUser() {
        #expect(throws: PluginFault.unknownUser("nobody-at-all")) { try PluginUser(named: "nobody-at-all") }
    }

    @Test("a library runs as another user", .enabled(if: geteuid() == 0, "needs root"))
    func libraryAsUser() async throws {
        let path = try await workshop.build("well")
        let plugin = try await StartedPlugin(PluginFile(path: path), through: .outOfProcess, user: PluginUser(named: "nobody"))
        #expect(try await plugin.health().ready)
        var status = stat()
        #expect(stat("/proc/\(plugin.process?.pid ?? 0)", &status) == 0 && status.st_uid == 65534)
        await plugin.stop()
    }

    @Test("a crash is told with its signal, an exit with its status", arguments: [
        ("crashes", PluginExit.killed(signal: SIGSEGV)), ("exits", .exited(3)),
    ])
    func ends(_ source: String, _ exit: PluginExit) async throws {
        let plugin = try await workshop.start(source, through: .outOfProcess)
        await #expect(throws: (any Error).self) { try await plugin.configure() }
        #expect(await plugin.process?.exit() == exit)
    }

    @Test("one that does not end when its connection does is killed")
    func killed() async throws {
        // Standard error stays open, descriptor 3 is not looked at.
        let file = try PluginFile(path: workshop.write("deaf", "#!/bin/sh\necho '<6>up'\nexec sleep 600\n"))
        let plugin = try await StartedPlugin(file, through: .outOfProcess)
        await plugin.log.wait(for: "6 up")
        await plugin.process?.stop(grace: .milliseconds(20))
        #expect(await plugin.process?.exit() == .killed(signal: SIGKILL))
    }

    @Test("what it started ends with it")
    func group() async throws {
        let file = try PluginFile(path: workshop.write("parent", "#!/bin/sh\nsleep 600 &\necho \"<6>$!\"\nwait\n"))
        let plugin = try await StartedPlugin(file, through: .outOfProcess)
        while plugin.log.all.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        let child = try #require(Int32(plugin.log.all[0].dropFirst(2)))
        plugin.process?.kill()
        #expect(await plugin.process?.exit() == .killed(signal: SIGKILL))
        // The child is init's now, and gone once that has waited for it; a zombie is gone enough.
        while kill(child, 0) == 0, try !isZombie(child) { try await Task.sleep(for: .milliseconds(1)) }
    }

    private func isZombie(_ pid: Int32) throws -> Bool {
        guard let file = fopen("/proc/\(pid)/stat", "r") else { return true }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 512)
        let count = fread(&text, 1, text.count, file)
        return String(decoding: text.prefix(count), as: UTF8.self).contains(") Z ")
    }

    @Test("a program that cannot be executed says which call failed")
    func notExecutable() async throws {
        let file = try PluginFile(path: workshop.write("no-program", "neither ELF nor a script"))
        do {
            _ = try await StartedPlugin(file, through: .outOfProcess)
            Issue.record("it started")
        } catch let fault as PluginFault {
            #expect("\(fault)" == "no-program could not be started: execveat: Exec format error")
        }
    }
}
