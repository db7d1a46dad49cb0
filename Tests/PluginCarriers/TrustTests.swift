import Linux
import PluginCarriers
import Support
import Testing

@Suite("Trust in a plugin's file")
struct TrustTests {
    let workshop: PluginWorkshop
    init() throws { workshop = try PluginWorkshop() }

    private func fault(_ name: String) -> String {
        do throws(PluginFault) {
            _ = try PluginFile(named: name, in: workshop.directory)
            return "trusted"
        } catch {
            return "\(error)"
        }
    }

    @Test("a file of root's or the daemon's user that nobody else may write is trusted")
    func trusted() throws {
        try workshop.write("a.so", "x", mode: 0o755)
        let library = try PluginFile(named: "a", in: workshop.directory)
        #expect(library.name == "a" && library.form == .library)
        try workshop.write("b", "#!/bin/sh\n")
        #expect(try PluginFile(named: "b", in: workshop.directory).form == .program(script: true))
        try workshop.write("c", "\u{7f}ELF")
        #expect(try PluginFile(named: "c", in: workshop.directory).form == .program(script: false))
    }

    @Test("the library is taken before the program of the same name")
    func order() throws {
        try workshop.write("a", "x")
        try workshop.write("a.so", "x")
        #expect(try PluginFile(named: "a", in: workshop.directory).form == .library)
    }

    @Test("a name with a slash, or none, is no name", arguments: ["", ".", "..", "../a", "/etc/passwd", "a/b", "a\0b"])
    func names(_ name: String) {
        #expect(fault(name).contains("is no name of a plugin"))
    }

    @Test("a plugin that is missing says where it was looked for")
    func missing() {
        #expect(fault("absent") == "there is neither absent.so nor absent in \(workshop.directory): install the plugin there, or mend the name")
    }

    @Test("a symbolic link is refused, also to a good file")
    func symbolicLink() throws {
        let path = try workshop.write("a.so", "x")
        symlink(path, "\(workshop.directory)/b.so")
        #expect(fault("b").contains("is a symbolic link"))
    }

    @Test("a file that group or others may write is refused with its mode", arguments: [mode_t(0o775), 0o757, 0o777])
    func writable(_ mode: mode_t) throws {
        try workshop.write("a.so", "x", mode: mode)
        #expect(fault("a").contains("has mode \(String(mode, radix: 8))"))
    }

    @Test("a file of another user is refused", .enabled(if: geteuid() == 0, "needs root"))
    func owner() throws {
        let path = try workshop.write("a.so", "x")
        chown(path, 65534, 0)
        #expect(fault("a").contains("belongs to user 65534"))
    }

    @Test("a directory that others may write is refused, sticky or not", arguments: [mode_t(0o777), 0o1777, 0o770])
    func directory(_ mode: mode_t) throws {
        try workshop.write("a.so", "x")
        chmod(workshop.directory, mode)
        #expect(fault("a").contains("has mode \(String(mode, radix: 8))"))
    }

    @Test("a directory further up that others may write is refused, also behind a symbolic link")
    func above() throws {
        try workshop.write("a.so", "x")
        let inner = "\(workshop.directory)/inner"
        mkdir(inner, 0o755)
        defer { rmdir(inner) }
        rename("\(workshop.directory)/a.so", "\(inner)/a.so")
        defer { unlink("\(inner)/a.so") }
        chmod(workshop.directory, 0o777)
        let other = try PluginWorkshop()
        symlink(inner, "\(other.directory)/link")
        do throws(PluginFault) {
            _ = try PluginFile(named: "a", in: "\(other.directory)/link")
            Issue.record("it was trusted")
        } catch {
            #expect("\(error)".contains("has mode 777"))
        }
    }

    @Test("a FIFO or a directory is no plugin, and opening it does not wait")
    func otherKinds() throws {
        mkfifo("\(workshop.directory)/a.so", 0o600)
        #expect(fault("a").contains("is not a regular file"))
        mkdir("\(workshop.directory)/b.so", 0o700)
        defer { rmdir("\(workshop.directory)/b.so") }
        #expect(fault("b").contains("is not a regular file"))
    }

    @Test("a program without its execute bit says so")
    func notExecutable() throws {
        try workshop.write("a", "x", mode: 0o644)
        #expect(fault("a").contains("is not executable"))
    }

    @Test("a file that was replaced is another one, and the same while it was not")
    func identity() throws {
        try workshop.write("a.so", "x")
        let first = try PluginFile(named: "a", in: workshop.directory)
        #expect(try PluginFile(named: "a", in: workshop.directory).identity == first.identity)
        try workshop.write("b", "xy")
        rename("\(workshop.directory)/b", "\(workshop.directory)/a.so")
        #expect(try PluginFile(named: "a", in: workshop.directory).identity != first.identity)
    }

    @Test("a library that was overwritten in place while loaded is not taken for the new one")
    func overwritten() async throws {
        let path = try await workshop.build("well")
        let first = try await StartedPlugin(PluginFile(path: path), through: .inProcess)
        var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
        utimensat(AT_FDCWD, path, &times, 0)
        let changed = try PluginFile(path: path)
        await #expect(throws: PluginFault.overwrittenInPlace(path: path)) { try await StartedPlugin(changed, through: .inProcess) }
        await first.stop()
    }

    @Test("a file is read whole, in order")
    func content() throws {
        let text = String(repeating: "0123456789", count: 20000)
        try workshop.write("a.so", text)
        var read: [UInt8] = []
        try PluginFile(named: "a", in: workshop.directory).read { read += $0 }
        #expect(read == Array(text.utf8))
    }
}
