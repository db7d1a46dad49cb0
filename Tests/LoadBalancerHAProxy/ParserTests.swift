// HAProxy's answers as values: captured ones, cut ones, and ones that are something else.

import Linux
import LoadBalancerHAProxy
import SallyportProtocol
import Testing

/// "web/down 127.0.0.1:19002 down: DOWN, L4CON: Connection refused"
func shown(_ backend: Sallyport_Plugin_V1_Backend) -> String {
    let address = IPAddress(bytes: backend.address).map { "\(SocketAddress($0, UInt16(truncatingIfNeeded: backend.port)))" } ?? "-"
    return "\(backend.name) \(address) \(backend.state): \(backend.detail)"
}

@Suite("HAProxy's answers")
struct ParserTests {
    @Test("every frontend, backend and server of a captured \"show stat\" is read, each with its state in HAProxy's words")
    func statistics() throws {
        let table = try ProxyTable(Captured.bytes("show-stat.csv"))
        #expect(table.frontends.keys.sorted() == ["both", "plain", "shop"])
        #expect(table.frontends["shop"]?.listeners.map { "\($0)" } == ["127.0.0.1:18001", "[::1]:18001"])
        #expect(table.frontends["both"]?.listeners.map { "\($0)" } == ["127.0.0.1:18003"], "its listener is named \"a,b\"")
        #expect(table.frontends["plain"]?.listeners == [] && table.frontends["plain"]?.status == "OPEN")
        #expect(table.backends.keys.sorted() == ["both", "web"])
        #expect(table.backends["web"]?.servers.map(shown) == [
            "web/up 127.0.0.1:19001 up: UP, L4OK",
            "web/down 127.0.0.1:19002 down: DOWN, L4CON: Connection refused",
            "web/unchecked [::1]:19003 unknown: no check",
            "web/maintained 127.0.0.1:19004 outOfService: MAINT",
            "web/draining 127.0.0.1:19001 outOfService: DRAIN, L4OK",
            "web/named - outOfService: MAINT (resolution)",
            "web/tracking 127.0.0.1:19001 up: UP, as web/up",
        ])
        #expect(table.backends["both"]?.servers.map(shown) == [
            "both/s1 127.0.0.1:0 down: DOWN, L4CON: Connection refused, backup", "both/s2 - unknown: no check",
        ])
        #expect(table.backends["web"]?.servers.allSatisfy { $0.proxyProtocol == .unknown } == true)
    }

    @Test("a \"show stat\" cut at any byte is refused")
    func cutStatistics() throws {
        let whole = try Captured.bytes("show-stat.csv")
        for length in whole.indices { #expect(throws: Malformed.self, "cut to \(length)") { try ProxyTable(Array(whole[..<length])) } }
    }

    @Test("any byte of a \"show stat\" may be another one without harm")
    func changedStatistics() throws {
        let whole = try Captured.bytes("show-stat.csv")
        for index in stride(from: 0, to: whole.count, by: 3) {
            for value: UInt8 in [0, 10, 34, 44, 255] {
                var changed = whole
                changed[index] = value
                if let table = try? ProxyTable(changed) { #expect(table.backends.count <= 4) }
            }
        }
    }

    private static let foreign: [(String, String)] = [
        ("", "begins with an empty line"),
        ("HTTP/1.0 400 Bad request\r\n\r\n", "begins with \"HTTP/1.0 400 Bad request\""),
        ("\u{1b}[2J\n", "begins with \"?[2J\""),
        ("# a,b\n\n", "has no column c"),
        ("# a,b,c\n1,2\n\n", "has too few values in line 2"),
        ("# a,b,c\n1,\"2\"x,3\n\n", "has something behind a quoted value in line 2"),
        ("# a,b,c\n1,2,\"3\n\n", "ends in the middle of line 2"),
        ("# a,b,c\n1,2,3\n", "ends in the middle of line 3"),
    ]

    @Test("a table that is none says what is there instead", arguments: foreign)
    func foreignTable(text: String, reason: String) {
        #expect(throws: Malformed(reason: reason)) { try StatisticsTable(Array(text.utf8), columns: ["a", "c"]) }
    }

    @Test("values in quotes may hold commas, quotes and ends of lines, and columns may come in any order")
    func quoted() throws {
        let table = try StatisticsTable(Array("# a,b,c\n\"1,\n\"\"x\"\"\",2,\n4,5,6,7\n\n".utf8), columns: ["c", "a"])
        #expect(table.rows == [["", "1,\n\"x\""], ["6", "4"]])
    }

    @Test("ports are those of listeners, and not of connections that are open")
    func listeners() throws {
        let table = try ListenerTable(Captured.bytes("show-fd.txt"))
        #expect(table.frontends == [18001: ["shop"], 18005: ["plain"], 18003: ["both"]])
    }

    @Test("a \"show fd\" cut at any byte gives nothing that the whole does not")
    func cutListeners() throws {
        let whole = try Captured.bytes("show-fd.txt")
        let table = try ListenerTable(whole)
        for length in whole.indices {
            guard let part = try? ListenerTable(Array(whole[..<length])) else { continue }
            #expect(part.frontends.allSatisfy { table.frontends[$0.key] == $0.value }, "cut to \(length)")
        }
        #expect(throws: Malformed(reason: "begins with \"Permission denied\"")) { try ListenerTable(Array("Permission denied\n\n".utf8)) }
    }

    @Test("a \"show info\" cut at any byte is refused, and one without a start that is a time too")
    func information() throws {
        let whole = try Captured.bytes("show-info.txt")
        let facts = try ProcessFacts(whole)
        #expect(facts.version.hasPrefix("2.6.12") && facts.isSupported)
        for length in whole.indices { #expect(throws: Malformed.self, "cut to \(length)") { try ProcessFacts(Array(whole[..<length])) } }
        for start in ["-1", "0", "99999999999999999999", "x", ""] {
            let text = "Name: HAProxy\nVersion: 2.6\nPid: 1\nStart_time_sec: \(start)\n\n"
            #expect(throws: Malformed(reason: "lacks Start_time_sec")) { try ProcessFacts(Array(text.utf8)) }
        }
        #expect(throws: Malformed(reason: "lacks Version or Pid")) { try ProcessFacts(Array("Name: HAProxy\nVersion: 2.6\n\n".utf8)) }
    }

    @Test(
        "versions before 2.6 are told apart",
        arguments: [("2.6.0", true), ("3.0-dev1", true), ("2.10.1", true), ("2.5.9", false), ("1.8.30", false), ("", false), ("x.y", false)])
    func versions(version: String, isSupported: Bool) throws {
        let text = "Name: HAProxy\nVersion: \(version)\nPid: 1\nStart_time_sec: 1\n\n"
        #expect(try ProcessFacts(Array(text.utf8)).isSupported == isSupported)
    }

    @Test(
        "sockets are absolute paths or addresses with a port",
        arguments: [
            ("/run/haproxy/admin.sock", true), ("127.0.0.1:9999", true), ("[::1]:9999", true), ("admin.sock", false), ("", false),
            ("127.0.0.1", false), ("127.0.0.1:0", false), ("/" + String(repeating: "a", count: 106), true),
            ("/" + String(repeating: "a", count: 107), false),
        ])
    func addresses(text: String, isOne: Bool) { #expect((RuntimeAddress(text) != nil) == isOne) }
}
