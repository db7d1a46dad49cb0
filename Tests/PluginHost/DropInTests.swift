import Linux
import Support
import Testing

@Suite("Drop-ins", .timeLimit(.minutes(2)))
struct DropInTests {
    @Test("each mistake is one error with file, line, column, field and what would be right", arguments: [
        ("plugin: well", "10-x.yaml:1:1: version: is missing; it must be 1"),
        ("version: 2\nplugin: well", "10-x.yaml:1:10: version: must be 1, not \"2\""),
        ("version: 1", "10-x.yaml:1:1: plugin: is missing; it must be the name of a plugin"),
        ("version: 1\nplugin: well\nisolaton: host", "10-x.yaml:3:1: isolaton: is no known field; did you mean isolation?"),
        ("version: 1\nplugin: well\nisolation: thread", "10-x.yaml:3:12: isolation: must be process or host, not \"thread\""),
        ("version: 1\nplugin: well\nplugin: other", "10-x.yaml:3:1: plugin: is already given on line 2; keep one of the two"),
        ("version: 1\nplugin: [a]", "10-x.yaml:2:9: plugin: must be the name of a plugin, not a list"),
        ("version: 1\nplugin: well\nrequired: yes", "10-x.yaml:3:11: required: must be true or false, not \"yes\""),
        ("version: 1\nplugin: well\nsha256: abc", "10-x.yaml:3:9: sha256: must be 64 hexadecimal digits, as sha256sum prints, not \"abc\""),
        ("version: 1\nplugin: well\nkind: policy", "10-x.yaml:3:7: kind: must be policy-source, tls-provider, load-balancer-adapter or public-tls, not \"policy\""),
        ("version: 1\nplugin: well\nisolation: host\nuser: nobody", "10-x.yaml: user: a plugin in the daemon's process has the daemon's user; leave it out, or use isolation: process"),
        ("version: 1\nplugin: well\nconfig: [a]", "10-x.yaml:3:9: config: must be a mapping, not a list"),
        ("version: 1\nplugin: well\nconfig:\n  a: 1\n  a: 2", "10-x.yaml:5:3: config.a: is already given on line 4; keep one of the two"),
        ("version: 1\nplugin: well\nconfig: {a: {b: [.inf]}}", "10-x.yaml:3:18: config.a.b[0]: is no number that JSON can hold; in quotes it is text"),
        ("version: 1\n---\nversion: 1", "10-x.yaml:3:1: a second document begins here; this file holds one"),
        ("version: 1\nplugin: \"well", "10-x.yaml:2:14: the text ends too early (in what begins on line 2); close the quotes or brackets; nothing from here on can be read"),
    ])
    func mistakes(_ text: String, _ problem: String) async throws {
        let fixture = try HostFixture()
        try fixture.write("10-x.yaml", text)
        #expect(await fixture.host.reload() == [problem])
        let status = try #require(await fixture.status("x"))
        #expect(status.state == .failed && status.message == problem && status.dropIn == "10-x.yaml")
        await fixture.host.stop()
    }

    @Test("a file that is named as no drop-in is an error, and other files are not looked at")
    func names() async throws {
        let fixture = try HostFixture()
        for name in ["x.yaml", "1-x.yaml", "10-X.yaml", "10-.yaml", "10-x.yml"] { try fixture.write(name, "version: 1") }
        for name in ["README", "10-x.yaml.bak", ".10-y.yaml", "10-z.yaml~"] { try fixture.write(name, "text") }
        let problems = await fixture.host.reload()
        #expect(problems.count == 5)
        #expect(problems.allSatisfy { $0.contains("is no name of a drop-in; use two digits and a name, as in 10-policy-file.yaml") })
        await fixture.host.stop()
    }

    @Test("two drop-ins of one name: the first counts, and the second is named")
    func twice() async throws {
        let fixture = try HostFixture()
        try fixture.write("10-x.yaml", "version: 1\nplugin: well\ndisabled: true")
        try fixture.write("20-x.yaml", "version: 1\nplugin: well\n")
        #expect(await fixture.host.reload() == ["20-x.yaml: the name x is 10-x.yaml's already; give one of the two another name"])
        #expect(await fixture.host.status().map(\.state) == [.disabled, .failed])
        await fixture.host.stop()
    }

    @Test("a drop-in that others may write is refused, since it says what runs")
    func writable() async throws {
        let fixture = try HostFixture()
        try fixture.dropIns.write("10-x.yaml", "version: 1\nplugin: well", mode: 0o666)
        #expect(await fixture.host.reload().first?.contains("has mode 666") == true)
        await fixture.host.stop()
    }

    @Test("a directory that is not there is named, and nothing that runs is ended")
    func noDirectory() async throws {
        let fixture = try HostFixture()
        try await fixture.workshop.build("well")
        try fixture.add("well")
        await fixture.host.start()
        let pid = try await fixture.wait("well", .ready).pid
        let moved = fixture.dropIns.directory + ".moved"
        rename(fixture.dropIns.directory, moved)
        #expect(await fixture.host.reload().first?.hasPrefix("opendir \(fixture.dropIns.directory): No such file or directory") == true)
        #expect(await fixture.status("well")?.pid == pid)
        rename(moved, fixture.dropIns.directory)
        await fixture.host.stop()
    }
}
