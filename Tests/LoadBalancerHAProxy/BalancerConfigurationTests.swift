// What a configuration file of HAProxy tells, and what it leaves open.

import Linux
import LoadBalancerHAProxy
import SallyportProtocol
import Support
import Testing

@Suite("HAProxy's configuration file")
struct BalancerConfigurationTests {
    private func read(_ text: String) throws -> BalancerConfiguration { try BalancerConfiguration(Array(text.utf8)) }

    /// Whether server `s` of a backend with these lines is sent PROXY headers.
    private func sent(_ lines: String, before: String = "") throws -> BalancerConfiguration.ProxyProtocol {
        try read("\(before)\nbackend web\n\(lines)\n").proxyProtocol(of: "s", in: "web")
    }

    @Test("the options of a server's line say what it is sent, version 2 before version 1", arguments: [
        ("", .none), ("check send-proxy", .v1), ("send-proxy-v2 check", .v2), ("send-proxy-v2-ssl", .v2), ("send-proxy-v2-ssl-cn", .v2),
        ("send-proxy send-proxy-v2", .v2), ("send-proxy no-send-proxy", .none), ("check-send-proxy", .none), ("'send-proxy'", .v1),
        ("\"send-proxy-v2\"", .v2), ("# send-proxy", .none), ("send\\-proxy", .unknown), ("\"${OPTIONS}\"", .unknown),
    ] as [(String, BalancerConfiguration.ProxyProtocol)])
    func options(words: String, version: BalancerConfiguration.ProxyProtocol) throws {
        #expect(try sent("\tserver s 192.0.2.1:80 \(words)\r") == version)
        #expect(try sent("server s \"${ADDRESS}:80\" \(words)") == version)
    }

    @Test("a quote that does not end makes the whole file tell nothing", arguments: ["send-proxy'", "send-proxy \"", "\"a\\\""])
    func quotes(words: String) {
        #expect(throws: Malformed(reason: "has a quote without end in line 3")) { try sent("  server s 192.0.2.1:80 \(words)") }
    }

    @Test("default-server holds for the servers behind it, and comes from the section defaults that a section has", arguments: [
        ("default-server send-proxy\nserver s a:1", .v1), ("server s a:1\ndefault-server send-proxy", .none),
        ("default-server send-proxy\ndefault-server check\nserver s a:1 send-proxy-v2 no-send-proxy", .v2),
        ("default-server \"$X\"\nserver s a:1 send-proxy", .unknown), ("server s a:1\nserver s b:1", .unknown), ("server \"$S\" a:1", .unknown),
    ] as [(String, BalancerConfiguration.ProxyProtocol)])
    func defaultServer(lines: String, version: BalancerConfiguration.ProxyProtocol) throws { #expect(try sent(lines) == version) }

    @Test("sections take over what their defaults say: the latest, or those they name")
    func defaults() throws {
        let configuration = try read("""
            defaults one
              default-server send-proxy
              default_backend pool
            backend a
              server s 192.0.2.1:80
            frontend f
            defaults two from one
              default-server no-send-proxy send-proxy-v2
            listen b
              server s 192.0.2.1:80
            backend c from one
              server s 192.0.2.1:80
            backend d from nowhere
              server s 192.0.2.1:80
            frontend g from nowhere
            defaults
            backend e
              server s 192.0.2.1:80
            frontend h
            """)
        #expect(["a", "b", "c", "d", "e"].map { configuration.proxyProtocol(of: "s", in: $0) } == [.v1, .v2, .v1, .unknown, .none])
        #expect(configuration.frontends == ["f": .backend("pool"), "b": .backend("pool"), "g": .open, "h": .own])
    }

    @Test("a frontend's backend is told unless rules or variables choose it")
    func destinations() throws {
        let configuration = try read("""
            frontend plain
              default_backend first
              default_backend second
            frontend ruled
              use_backend other if { src 192.0.2.0/24 }
              default_backend first
            frontend open
              default_backend "$NAME"
            listen own 192.0.2.1:80
              server s 192.0.2.1:80
            """)
        #expect(configuration.frontends == ["plain": .backend("second"), "ruled": .open, "open": .open, "own": .own])
    }

    @Test("servers of a template are known by their numbers; those of other sections, and more than 10,000, are not")
    func templates() throws {
        let configuration = try read("""
            backend web
              server-template a 2 web.example:80 send-proxy-v2
              server-template b 3-4 web.example:80 send-proxy
              server-template c 10000 web.example:80 send-proxy
              server-template d 4-3 web.example:80 send-proxy
              server-template e 9223372036854775807 web.example:80
              server-template f -1 web.example:80
              server-template g
            peers web
              server h 192.0.2.1:80
            """)
        let known = ["a1", "a2", "b3", "b4"].map { configuration.proxyProtocol(of: $0, in: "web") }
        #expect(known == [.v2, .v2, .v1, .v1])
        for name in ["a0", "a3", "b2", "b5", "c1", "d3", "e1", "f1", "g1", "h"] {
            #expect(configuration.proxyProtocol(of: name, in: "web") == .unknown, "\(name)")
        }
    }

    @Test("conditions and lines that begin with variables make the whole file tell nothing")
    func undecided() throws {
        #expect(throws: Malformed(reason: "has a condition in line 2")) { try read("backend web\n.if defined(X)\nserver s a:1\n.endif") }
        #expect(throws: Malformed(reason: "begins line 1 with a variable")) { try read("\"$X\" y") }
    }

    @Test("a line of 4 MiB is a line as any other, as one word and as many", arguments: ["x", "\"x\"", "x ", "\\x"])
    func longLine(text: String) throws {
        let line = String(repeating: text, count: (4 << 20) / text.utf8.count)
        #expect(try sent("\(text == "\\x" ? "option " : "")\(line)\nserver s 192.0.2.1:80 send-proxy") == .v1)
    }

    @Test("a file cut at any byte, and with any byte another one, is read without harm")
    func changed() throws {
        let whole = Array("defaults a\n default-server \"x\" 'y' \\z\nlisten w from a\n server-template s 1-3 h:1 send-proxy # x\n use_backend b\n".utf8)
        for index in whole.indices {
            _ = try? BalancerConfiguration(Array(whole[..<index]))
            for value: UInt8 in [0, 10, 32, 34, 36, 39, 45, 57, 92, 255] {
                var changed = whole
                changed[index] = value
                if let read = try? BalancerConfiguration(changed) { #expect(read.frontends.count <= 1) }
            }
        }
    }

    @Test("a file that is not there, none, too large, or newer than HAProxy says what to do")
    func files() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/haproxy.cfg"
        func problem(_ start: Int64 = .max) -> String { ConfigurationFile(path, after: nil, start: start).problem.replacing(path, with: "FILE") }
        #expect(problem() == "FILE does not exist: set `configuration` to HAProxy's file, or leave it out")
        try syscall("mkfifo") { mkfifo(path, 0o600) }
        #expect(problem() == "FILE is no file: set `configuration` to HAProxy's one file, or leave it out")
        unlink(path)
        mkdir(path, 0o700)
        #expect(problem() == "FILE is no file: set `configuration` to HAProxy's one file, or leave it out")
        rmdir(path)
        try directory.write("haproxy.cfg", String(repeating: "#\n", count: 3 << 20))
        #expect(problem() == "FILE has more than 4 MiB: set `configuration` to HAProxy's file, or leave it out")
        try directory.write("haproxy.cfg", "backend \"web")
        #expect(problem() == "FILE has a quote without end in line 1, so that it does not tell what HAProxy runs with: set `backends`, and leave `configuration` out")
        try directory.write("haproxy.cfg", "backend web")
        #expect(problem() == "" && problem(0) == "FILE was changed after HAProxy had read it: reload HAProxy")
    }

    @Test("a file is read again when it has changed, and believed again when HAProxy has read it")
    func readAgain() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/haproxy.cfg"
        try directory.write("haproxy.cfg", "frontend a\n default_backend one\n")
        let first = ConfigurationFile(path, after: nil, start: .max)
        #expect(first.configuration?.frontends == ["a": .backend("one")])
        #expect(ConfigurationFile(path, after: first, start: .max) == first)
        try directory.write("haproxy.cfg", "frontend a\n default_backend other\n")
        let stale = ConfigurationFile(path, after: first, start: 0)
        #expect(stale.configuration == nil && !stale.problem.isEmpty)
        #expect(ConfigurationFile(path, after: stale, start: .max).configuration?.frontends == ["a": .backend("other")])
        unlink(path)
        #expect(ConfigurationFile(path, after: stale, start: .max).configuration == nil)
    }
}
