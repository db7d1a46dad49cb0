// How interception changes, who else may change it, and what becomes of it.

import Interception
import Linux
import Support
import Synchronization
import Testing

@Suite(.enabled(if: Network.isPossible, "needs root, to make network namespaces"), .serialized)
struct TableTests {
    @Test("a change of policy changes elements and leaves the rules, handles and all")
    func elementsOnly() throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: .nat, workers: 2)
        try interceptor.apply(frontends: frontends("192.0.2.10:80", "10.1.0.0/16:80", "[fd00::1]:80"), servedPorts: [80])
        let before = try rules(of: net.client)
        // A block takes the place of one that lies in it, in one transaction.
        try interceptor.apply(frontends: frontends("192.0.2.11:80", "10.0.0.0/8:80", "[fd01::/64]:80"), servedPorts: [81])
        #expect(try rules(of: net.client) == before)
        #expect(before.contains { $0.contains("redirect to") && $0.contains("# handle") })

        let sets = try net.client.run("nft", "list", "sets").output
        for shown in ["192.0.2.11 . 80", "10.0.0.0/8 . 80", "fd01::/64 . 80", "elements = { 81 }"] { #expect(sets.contains(shown)) }
        for gone in ["192.0.2.10", "10.1.0.0/16", "fd00::1", "{ 80 }"] { #expect(!sets.contains(gone)) }
    }

    @Test(
        "what an enforcer that crashed intercepted is refused, until the next one takes over, in whichever way",
        arguments: Redirection.allCases, Redirection.allCases)
    func crash(redirection: Redirection, next: Redirection) throws {
        let net = try Neighbours()
        let applications = [try net.serverInside.listen(port: 80), try net.clientInside.listen(port: 81)]
        let wanted = frontends("10.244.1.20:80", "[fd00:244:1::20]:80")
        func dials() -> [(NetworkNamespace, String)] {
            [(net.clientInside, "10.244.1.20:80"), (net.clientInside, "[fd00:244:1::20]:80"),
             (net.serverInside, "10.244.1.10:81"), (net.serverInside, "[fd00:244:1::10]:81")]
        }
        do {
            let interceptor = try Interceptor(of: net.client, by: redirection)
            try interceptor.apply(frontends: wanted, servedPorts: [81])
        }
        for (place, address) in dials() {
            // A program that another test starts has the listeners too, between its fork and its exec.
            try eventually("refused") { try place.failureToDial(address) == ECONNREFUSED }
        }

        let next = try Interceptor(of: net.client, by: next)
        try next.apply(frontends: wanted, servedPorts: [81])
        for (place, address) in dials() {
            _ = try place.dial(address)
            #expect(try accept(from: next.outgoing + next.incoming).dialled == address)
        }
        try next.uninstall()
        for (place, address) in dials() { _ = try place.dial(address) }
        for application in applications { for _ in 0..<2 { _ = try accept(from: [application.raw]) } }
    }

    @Test("no connection slips past while one enforcer takes the place of another", arguments: Redirection.allCases)
    func takeOver(redirection: Redirection) throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 80)
        let first = try Interceptor(of: net.client, by: redirection)
        let wanted = frontends("10.244.1.20:80")
        try first.apply(frontends: wanted, servedPorts: [])

        let inside = net.clientInside
        let ended = Mutex(false)
        let dials = Mutex(0)
        let dialling = try RunningThread(name: "dialling") {
            while !ended.withLock({ $0 }) || dials.withLock({ $0 }) < 50 {
                guard (try? inside.failureToDial("10.244.1.20:80")) != nil else { return }
                dials.withLock { $0 += 1 }
            }
        }
        for _ in 0..<50 { try Interceptor(of: net.client, by: redirection).apply(frontends: wanted, servedPorts: []) }
        ended.withLock { $0 = true }
        dialling.join()
        #expect(dials.withLock { $0 } >= 50)
        var entry = pollfd(fd: server.raw, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, 0) == 0, "the server was given a connection that nobody intercepted")
    }

    @Test("a table that somebody changed is made anew")
    func changedByOthers() throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: .nat)
        try interceptor.apply(frontends: frontends("10.96.0.10:80"), servedPorts: [])
        try net.client.nft("flush chain inet sallyport leaving; delete element inet sallyport hosts4 { 10.96.0.10 . 80 }")
        try interceptor.apply(frontends: frontends("10.96.0.11:80"), servedPorts: [])
        _ = try net.clientInside.dial("10.96.0.11:80")
        _ = try accept(from: interceptor.outgoing)

        try net.client.nft("delete table inet sallyport")
        try interceptor.apply(frontends: frontends("10.96.0.12:80"), servedPorts: [])
        _ = try net.clientInside.dial("10.96.0.12:80")
        _ = try accept(from: interceptor.outgoing)
    }

    @Test("uninstalling removes what was installed and nothing else, also twice", arguments: Redirection.allCases)
    func uninstall(redirection: Redirection) throws {
        let net = try Neighbours()
        let foreign = "table inet sallyport_of_another { chain output { type filter hook output priority 0; counter; }; }"
        try net.client.nft(foreign)
        func state() throws -> [String] {
            try [["nft", "-s", "list", "ruleset"], ["ip", "rule"], ["ip", "-6", "rule"]].map { try net.client.run($0[0], arguments: Array($0[1...])).output }
        }
        let before = try state()
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("10.96.0.10:80"), servedPorts: [80])
        #expect(try state() != before)
        try interceptor.uninstall()
        #expect(try state() == before)
        try interceptor.uninstall()
        try interceptor.apply(frontends: frontends("10.96.0.10:80"), servedPorts: [])
        _ = try net.clientInside.dial("10.96.0.10:80")
        _ = try accept(from: interceptor.outgoing)
    }

    @Test(
        "the way back for answers to clients is there while it is wanted, and goes without it, with the table, and after a crash",
        arguments: [true, false])
    func returnRoute(uninstalledByAnother: Bool) throws {
        let net = try Neighbours()
        func state() throws -> [String] {
            try [["rule"], ["-6", "rule"], ["route", "show", "table", "23057"], ["-6", "route", "show", "table", "23057"]].map {
                try net.client.run("ip", arguments: $0).output
            } + [net.client.run("nft", "list", "chain", "inet", "sallyport", "returning").output]
        }
        let untouched = try state()
        var interceptor: Interceptor? = try Interceptor(of: net.client, by: .nat)
        func apply(_ isWanted: Bool) throws { try interceptor?.apply(frontends: [], servedPorts: [80], deliversAsClient: isWanted) }
        try apply(false)
        #expect(try state() == untouched)
        try apply(true)
        let with = try state()
        #expect(with[0].contains("90:\tfrom all fwmark 0x2000000/0x3000000 lookup 23057") && with[1].contains("lookup 23057"), "\(with)")
        #expect(with[2].contains("local default dev lo") && with[3].contains("local default dev lo"), "\(with)")
        #expect(with[4].contains("ct original zone 23057 ct direction reply"), "\(with)")
        try apply(false)
        #expect(try state() == untouched)
        try apply(true)
        if uninstalledByAnother {
            // It crashed: the next one finds the route there already, and who cleans up finds all of it.
            interceptor = try Interceptor(of: net.client, by: .nat)
            try apply(true)
            #expect(try state() == with)
            try Interceptor.uninstall(from: NetworkNamespace(path: net.client.namespacePath))
        } else {
            try interceptor?.uninstall()
        }
        #expect(try state() == untouched)
    }

    @Test("with failureMode Open interception goes with its enforcer, and connections pass", arguments: Redirection.allCases)
    func failureModeOpen(redirection: Redirection) throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 80)
        do {
            let interceptor = try Interceptor(of: net.client, by: redirection, failureMode: .open)
            try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [])
            try interceptor.apply(frontends: frontends("10.244.1.20:80", "10.244.1.21:80"), servedPorts: [])
            _ = try net.clientInside.dial("10.244.1.20:80")
            _ = try accept(from: interceptor.outgoing)
            if redirection == .nat {
                #expect(throws: InterceptionError.tableOwnedByAnother(namespace: net.client.namespacePath)) {
                    try Interceptor(of: net.client, by: redirection).apply(frontends: [], servedPorts: [])
                }
            }
        }
        // A program that another test starts has the owner's socket too, between its fork and its exec.
        try eventually("passing") { try net.clientInside.failureToDial("10.244.1.20:80") == 0 }
        let passed = try net.clientInside.dial("10.244.1.20:80")
        try passed.send("past")
        try server.wait(for: POLLIN)
    }

    @Test("100,000 frontends are taken at once, and one more by itself", arguments: Redirection.allCases)
    func many(redirection: Redirection) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: redirection)
        var wanted = Set((0..<100_000).map { InterceptedFrontend(cidr: CIDR(IPAddress(v4: 0x0a80_0000 + UInt32($0))), port: 80) })
        try interceptor.apply(frontends: wanted, servedPorts: [])
        wanted.formUnion(frontends("[fd00::1]:80"))
        try interceptor.apply(frontends: wanted, servedPorts: [])
        for address in ["10.128.0.0:80", "10.129.134.159:80", "[fd00::1]:80"] {
            _ = try net.clientInside.dial(address)
            #expect(try accept(from: interceptor.outgoing).dialled == address)
        }
    }

    private func rules(of place: some NetworkPlace) throws -> [String] {
        let list = try place.run("nft", "-a", "-s", "list", "table", "inet", "sallyport").output
        return list.split(separator: "\n").map(String.init).filter { !$0.contains("elements = ") }
    }
}
