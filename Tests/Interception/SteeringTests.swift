// Sockets that are steered: what nat and conntrack would see to by themselves.

import Foundation
import Interception
import Linux
import Logging
import Support
import Synchronization
import Testing

@Suite(
    .enabled(if: Network.isPossible && Redirection.isSteeringPossible, "needs root, to make network namespaces, and a kernel that can steer sockets"),
    .serialized)
struct SteeringTests {
    @Test("an IPv6 socket that dials an IPv4 frontend is steered, and one that is used again for something else goes there")
    func sockets() throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 81)
        let interceptor = try Interceptor(of: net.client, by: .steering)
        try interceptor.apply(frontends: frontends("10.96.0.10:80"), servedPorts: [])
        // connect(2): AF_UNSPEC dissolves a connection.
        let dialled = try net.client.run("python3", "-c", """
            import ctypes, socket
            s = socket.socket(socket.AF_INET6)
            s.connect(("::ffff:10.96.0.10", 80))
            print(s.getpeername()[0], s.getsockname()[0])
            assert ctypes.CDLL(None).connect(s.fileno(), bytes(16), 16) == 0
            s.connect(("::ffff:10.244.1.20", 81))
            s.sendall(b"past")
            """)
        #expect(dialled.output == "::ffff:10.96.0.10 ::ffff:10.244.1.10\n", "\(dialled)")
        #expect(try accept(from: interceptor.outgoing).dialled == "10.96.0.10:80")
        #expect(try accept(from: [server.raw]).socket.receive() == "past")
    }

    @Test("what a socket's mark says besides is kept, and so is all of it in namespaces that are no unit's")
    func marks() throws {
        let net = try Neighbours()
        let own = try net.clientInside.listen(port: 80)
        let interceptor = try Interceptor(of: net.client, by: .steering)
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [])
        let mark = """
            import socket, sys
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(sys.argv[2], 16))
            s.connect((sys.argv[1], 80))
            print(hex(s.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)))
            """
        #expect(try net.client.run("python3", "-c", mark, "10.244.1.20", "5").output == "0x3000005\n")
        #expect(try net.client.run("python3", "-c", mark, "10.244.1.10", "3000005").output == "0x5\n")
        #expect(try net.server.run("python3", "-c", mark, "10.244.1.10", "3000005").output == "0x3000005\n")
        // Both connections to its listener were made.
        for _ in 0..<2 { _ = try accept(from: [own.raw]) }
    }

    @Test("a socket that is bound to an interface is steered all the same", arguments: ["10.244.1.20", "fd00:244:1::20"])
    func boundToAnInterface(address: String) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: .steering)
        try interceptor.apply(frontends: frontends("10.244.1.20:80", "[fd00:244:1::20]:80"), servedPorts: [])
        let dialled = try net.client.run("python3", "-c", """
            import socket, sys
            s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
            print(s.connect_ex((sys.argv[1], 80)))
            """, address)
        #expect(dialled.output == "0\n", "\(dialled)")
        #expect(try accept(from: interceptor.outgoing).dialled == (address.contains(":") ? "[\(address)]:80" : "\(address):80"))
    }

    @Test("what cannot be steered, since loopback is down, is refused", arguments: ["10.244.1.20:80", "[fd00:244:1::20]:80"])
    func loopbackDown(address: String) throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 80)
        let interceptor = try Interceptor(of: net.client, by: .steering)
        try interceptor.apply(frontends: frontends(address), servedPorts: [])
        try net.client.run("ip", "link", "set", "lo", "down")
        #expect(try net.clientInside.failureToDial(address) != 0)
        #expect(try isSilent(server))
    }

    @Test("while interception comes, is changed and goes, every dial is answered, by the listener or by the server")
    func gapless() throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 80)
        let inside = net.clientInside
        let ended = Mutex(false)
        let refused = Mutex(0)
        let dials = Mutex(0)
        let interceptor = try Interceptor(of: net.client, by: .steering)
        let dialling = try RunningThread(name: "dialling") {
            while !ended.withLock({ $0 }) || dials.withLock({ $0 }) < 50 {
                guard let failure = try? inside.failureToDial("10.244.1.20:80") else { return }
                if failure != 0 { refused.withLock { $0 += 1 } }
                dials.withLock { $0 += 1 }
                // Their backlogs are for 128.
                drain([server.raw] + interceptor.outgoing)
            }
        }
        let many = frontends("10.244.1.20:80").union((0..<2000).map { InterceptedFrontend(cidr: CIDR(IPAddress(v4: 0x0a80_0000 + UInt32($0))), port: 80) })
        for _ in 0..<10 {
            try interceptor.apply(frontends: many, servedPorts: [])
            try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [90])
            try interceptor.uninstall()
        }
        ended.withLock { $0 = true }
        dialling.join()
        #expect(dials.withLock { $0 } >= 50)
        #expect(refused.withLock { $0 } == 0)
    }

    @Test("what could not be finished is finished the next time, also in the place of an enforcer that crashed", arguments: [false, true])
    func unfinished(isTakeOver: Bool) throws {
        let net = try Neighbours()
        let wanted = frontends("10.96.0.10:80")
        if isTakeOver { try Interceptor(of: net.client, by: .steering).apply(frontends: wanted, servedPorts: []) }
        let interceptor = try Interceptor(of: net.client, by: .steering)
        // There is no route to an interface that is down.
        try net.client.run("ip", "link", "set", "lo", "down")
        #expect(throws: InterceptionError.self) { try interceptor.apply(frontends: wanted, servedPorts: []) }
        try net.client.run("ip", "link", "set", "lo", "up")
        try interceptor.apply(frontends: wanted, servedPorts: [])
        _ = try net.clientInside.dial("10.96.0.10:80")
        #expect(try accept(from: interceptor.outgoing).dialled == "10.96.0.10:80")
    }

    @Test("SYN cookies come to the listener that sent them, also where a unit dials", arguments: ["10.244.1.20:80", "[fd00:244:1::20]:80"])
    func cookiesOfDials(address: String) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: .steering, workers: 3)
        try interceptor.apply(frontends: frontends(address), servedPorts: [])
        try net.client.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2")
        for _ in 0..<20 {
            let client = try net.clientInside.dial(address)
            let accepted = try accept(from: interceptor.outgoing)
            #expect(accepted.dialled == address)
            try client.send("through")
            #expect(try accepted.socket.receive() == "through")
        }
    }

    @Test("SYN cookies come to the listener, not to the application", arguments: ["10.244.1.20:80", "[fd00:244:1::20]:80"])
    func cookies(address: String) throws {
        let net = try Neighbours()
        let application = try net.serverInside.listen(port: 80)
        let interceptor = try Interceptor(of: net.server, by: .steering, workers: 3)
        try interceptor.apply(frontends: [], servedPorts: [80])
        // For every connection, also where there is no flood; tcp(7).
        try net.server.run("sysctl", "-qw", "net.ipv4.tcp_syncookies=2")
        // The application's own listener has sent some, and would take others'.
        _ = try net.serverInside.dial(address, as: .enforcerToApplication)
        _ = try accept(from: [application.raw])
        for _ in 0..<20 {
            let client = try net.clientInside.dial(address)
            let accepted = try accept(from: interceptor.incoming)
            #expect(accepted.dialled == address)
            try client.send("through")
            #expect(try accepted.socket.receive() == "through")
        }
        #expect(try isSilent(application))
    }

    @Test("a client that comes again from its port in TIME-WAIT comes to the listener; with no enforcer any more it reaches nobody")
    func timeWait() throws {
        let net = try Neighbours()
        let application = try net.serverInside.listen(port: 80)
        var interceptor: Interceptor? = try Interceptor(of: net.server, by: .steering)
        try interceptor?.apply(frontends: [], servedPorts: [80])
        let listeners = interceptor?.incoming ?? []
        func serveOnce() throws {
            let client = try net.clientInside.dialAgain("10.244.1.20:80", from: 45_000)
            var accepted: Accepted? = try accept(from: listeners)
            // Who ends first is in TIME-WAIT.
            accepted = nil
            #expect(try client.receive().isEmpty && accepted == nil)
        }
        func isInTimeWait() throws -> Bool { try net.server.run("ss", "-Htn", "state", "time-wait").output.contains(":45000") }
        try serveOnce()
        try eventually("in TIME-WAIT") { try isInTimeWait() }
        try serveOnce()
        try eventually("in TIME-WAIT") { try isInTimeWait() }

        interceptor = nil
        // A program that another test starts has the listeners too, between its fork and its exec.
        try eventually("without a listener") { try net.server.run("ss", "-Htln").output.split(separator: "\n").count == 1 }
        let came = try net.client.run("python3", "-c", """
            import socket
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", 45000))
            s.settimeout(2)
            s.connect(("10.244.1.20", 80))
            """)
        #expect(came.status != 0)
        #expect(try isSilent(application))
    }

    @Test("a unit that dials again from its port in TIME-WAIT comes to the listener", arguments: ["10.96.0.10:80", "[fd00:10:96::10]:80"])
    func timeWaitOfDials(address: String) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: .steering, workers: 2)
        try interceptor.apply(frontends: frontends("10.96.0.10:80", "[fd00:10:96::10]:80"), servedPorts: [])
        for _ in 0..<4 {
            let client = try net.clientInside.dialAgain(address, from: 45_000)
            var accepted: Accepted? = try accept(from: interceptor.outgoing)
            #expect(accepted?.dialled == address)
            accepted = nil
            #expect(try client.receive().isEmpty && accepted == nil)
        }
    }

    @Test("who dials again from a port whose connection only the enforcer still has comes to the listener, and that connection ends", arguments: [true, false])
    func forgotten(isUnit: Bool) throws {
        let net = try Neighbours()
        let place = isUnit ? net.client : net.server
        let interceptor = try Interceptor(of: place, by: .steering)
        try interceptor.apply(frontends: isUnit ? frontends("10.244.1.20:80") : [], servedPorts: isUnit ? [] : [80])
        // TCP_REPAIR: it is closed without a word (tcp.h, sock.c of CRIU).
        let silent = try net.client.run("python3", "-c", """
            import socket
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", 45000))
            s.connect(("10.244.1.20", 80))
            s.setsockopt(socket.IPPROTO_TCP, 19, 1)
            """)
        #expect(silent.status == 0, "\(silent)")
        let old = try accept(from: interceptor.outgoing + interceptor.incoming)
        let client = try net.clientInside.dial("10.244.1.20:80", from: 45_000)
        let new = try accept(from: interceptor.outgoing + interceptor.incoming)
        try client.send("again")
        #expect(try new.socket.receive() == "again")
        #expect(throws: SystemCallError.self) { try old.socket.receive() }
    }

    @Test("a mark that another gave it lets nothing in once the enforcer is gone")
    func foreignMark() throws {
        let net = try Neighbours()
        let application = try net.serverInside.listen(port: 80)
        try net.server.nft("table inet marks { chain prerouting { type filter hook prerouting priority -150; meta mark set 0x1000000; }; }")
        do { try Interceptor(of: net.server, by: .steering).apply(frontends: [], servedPorts: [80]) }
        try eventually("refused") { try net.clientInside.failureToDial("10.244.1.20:80") == ECONNREFUSED }
        #expect(try isSilent(application))
    }

    @Test("what the container's own nat turns from a served port to another, or to one, does not come in unseen", arguments: Redirection.allCases)
    func translatedWithin(redirection: Redirection) throws {
        let net = try Neighbours()
        let hidden = try net.serverInside.listen(port: 8080)
        let application = try net.serverInside.listen(port: 80)
        try net.server.nft("""
            table ip own { chain prerouting { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :8080; tcp dport 81 redirect to :80; }; }
            """)
        let interceptor = try Interceptor(of: net.server, by: redirection)
        try interceptor.apply(frontends: [], servedPorts: [80])
        for address in ["10.244.1.20:80", "10.244.1.20:81"] { _ = try net.clientInside.failureToDial(address) }
        #expect(try isSilent(hidden) && isSilent(application))
    }

    /// What makes nat lead a unit that was steered.
    enum Turn: CaseIterable { case ownNat, iptables, clientsAddresses }

    @Test("a container that gets nat of its own, or is to see its clients' addresses, is led by nat; steered connections live on", arguments: Turn.allCases)
    func turnsToNat(turn: Turn) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: .steering)
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [81])
        let dialled = try net.clientInside.dial("10.244.1.20:80")
        let outgoing = try accept(from: interceptor.outgoing).socket
        let client = try net.serverInside.dial("10.244.1.10:81")
        let incoming = try accept(from: interceptor.incoming).socket
        #expect(try !interceptor.isOutdated && !hasTable(net.client))

        switch turn {
        case .ownNat: try net.client.nft("table ip6 own { chain output { type nat hook output priority -100; }; }")
        case .iptables: try net.client.run("iptables-nft", "-t", "nat", "-A", "OUTPUT", "-d", "127.0.0.11", "-j", "ACCEPT")
        case .clientsAddresses: break
        }
        #expect(interceptor.isOutdated == (turn != .clientsAddresses))
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [81], deliversAsClient: turn == .clientsAddresses)
        #expect(try !interceptor.isOutdated && hasTable(net.client))
        for (one, other) in [(dialled, outgoing), (client, incoming)] {
            try one.send("still")
            #expect(try other.receive() == "still")
            try other.send("here")
            #expect(try one.receive() == "here")
        }
        let next = try net.clientInside.dial("10.244.1.20:80")
        let translated = try accept(from: interceptor.outgoing)
        #expect(translated.dialled == "10.244.1.20:80")
        _ = try net.serverInside.dial("10.244.1.10:81")
        #expect(try accept(from: interceptor.incoming).dialled == "10.244.1.10:81")

        // And so it stays, for what it has led.
        if turn == .ownNat { try net.client.nft("delete table ip6 own") }
        try interceptor.apply(frontends: frontends("10.244.1.20:80", "10.244.1.20:82"), servedPorts: [81])
        _ = try net.clientInside.dial("10.244.1.20:82")
        #expect(try accept(from: interceptor.outgoing).dialled == "10.244.1.20:82")
        try next.send("lives")
        #expect(try translated.socket.receive() == "lives")
    }

    @Test("a bridge, whose packets br_netfilter takes first, changes nothing")
    func bridge() throws {
        let net = try Neighbours()
        let host = try Interceptor(of: net.node, by: .steering, kind: .host)
        try host.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [81])
        // The node's containers are on a bridge.
        #expect(try net.node.run("ip", "link", "show", "type", "bridge").output != "")
        _ = try NetworkNamespace(net.node).dial("10.244.1.20:80")
        #expect(try accept(from: host.outgoing).dialled == "10.244.1.20:80")
        _ = try net.clientInside.dial("10.1.0.1:81")
        #expect(try accept(from: host.incoming).dialled == "10.1.0.1:81")
    }

    @Test("nat that comes to a host, and goes, turns nothing that is steered elsewhere")
    func natOfHost() throws {
        let net = try Neighbours()
        let inside = try NetworkNamespace(net.node)
        let host = try Interceptor(of: net.node, by: .steering, kind: .host)
        func apply() throws { try host.apply(frontends: frontends("10.96.0.10:9376"), servedPorts: [80]) }
        try apply()
        #expect(try !host.isOutdated && !hasTable(net.node))
        try net.node.clusterIP("10.96.0.10", port: 9376, to: "10.244.1.20:80")
        // At once it is still led to the listener, whatever the listener makes of its address.
        _ = try inside.dial("10.96.0.10:9376")
        _ = try accept(from: host.outgoing)
        #expect(host.isOutdated)
        try apply()
        #expect(try !host.isOutdated && hasTable(net.node))
        _ = try inside.dial("10.96.0.10:9376")
        #expect(try accept(from: host.outgoing).dialled == "10.96.0.10:9376")
        try net.node.nft("delete table ip kube-proxy")
        #expect(host.isOutdated)
        try apply()
        #expect(try !host.isOutdated && !hasTable(net.node))
        #expect(try net.node.run("ip", "-details", "rule").output.contains("92:\tfrom all fwmark 0x3000000/0x3000000 unreachable proto kernel"))
    }

    @Test("UDP comes to whoever listens, also when no enforcer runs")
    func datagrams() throws {
        let net = try Neighbours()
        do {
            try Interceptor(of: net.server, by: .steering).apply(frontends: [], servedPorts: [53])
            try Interceptor(of: net.client, by: .steering).apply(frontends: frontends("10.244.1.20:53"), servedPorts: [])
        }
        try eventually("refused") { try net.clientInside.failureToDial("10.244.1.20:53") == ECONNREFUSED }
        let receiver = try net.server.start("python3", "-uc", """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("", 53))
            print("bound")
            print(s.recv(10).decode())
            """)
        try eventually("bound") { receiver.outputSoFar.contains("bound") }
        let sent = try net.client.run("python3", "-c", """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.connect(("10.244.1.20", 53))
            s.send(b"question")
            """)
        #expect(sent.status == 0, "\(sent)")
        try eventually("received") { receiver.outputSoFar.contains("question") }
    }

    @Test("a namespace that is gone is forgotten at the next start")
    func vanished() throws {
        let pins = SteeringPins(stateDirectory: "/vanished/\(getpid())")
        defer { try? pins.removeAll() }
        func pinned() throws -> [Substring] {
            try NetworkProgram.run("ls", ["/sys/fs/bpf/sallyport/vanished-\(getpid())"], in: nil).output.split(separator: "\n")
        }
        let steering = try SocketSteering.ifPossible(pins: pins)
        let before = try pinned()
        do {
            let net = try Neighbours()
            let interceptor = try Interceptor(
                unit: "/test/vanished", namespace: net.clientInside, kind: .container, workers: 1, steering: steering, pins: pins,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [81])
            #expect(try pinned().count == before.count + 1)
        }
        // The kernel takes a namespace down by and by.
        try eventually("forgotten") {
            _ = try SocketSteering.ifPossible(pins: pins)
            return try pinned() == before
        }
    }

    @Test("what ends, ends at once, also where another process has its links open", arguments: [false, true])
    func endsAtOnce(crashed: Bool) throws {
        let net = try Neighbours()
        let application = try net.clientInside.listen(port: 80)
        let served = { (interceptor: Interceptor) throws in try interceptor.apply(frontends: [], servedPorts: [80]) }
        var interceptor = try Interceptor(of: net.client, by: .steering)
        try served(interceptor)
        let held = try duplicatesOfLinks()
        defer { for link in held { close(link) } }
        #expect(!held.isEmpty)
        if crashed {
            interceptor = try Interceptor(of: net.client, by: .nat)
            try served(interceptor)
        }
        try interceptor.uninstall()
        _ = try net.serverInside.dial("10.244.1.10:80")
        _ = try accept(from: [application.raw])
    }

    private func hasTable(_ place: some NetworkPlace) throws -> Bool { try place.run("nft", "list", "table", "inet", "sallyport").status == 0 }

    /// Whether nobody has come to a listener. Who dialled has been answered before, so there is nothing to wait for.
    private func isSilent(_ listening: TestSocket) throws -> Bool {
        var entry = pollfd(fd: listening.raw, events: Int16(POLLIN), revents: 0)
        return try syscall("poll") { poll(&entry, 1, 0) } == 0
    }
}

/// As a process has them that the enforcer starts, between its fork and its exec.
private func duplicatesOfLinks() throws -> [Int32] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init).filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix("anon_inode:bpf") == true
    }.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
}

/// Takes what has come to the listeners, and lets it go.
private func drain(_ listeners: [Int32]) {
    for listener in listeners {
        var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 0) == 1 {
            let taken = Glibc.accept(listener, nil, nil)
            if taken < 0 { break }
            close(taken)
        }
    }
}

extension NetworkNamespace {
    /// Dials from a port whose last connection is perhaps about to end: its last acknowledgement may be on its way.
    fileprivate func dialAgain(_ address: String, from port: UInt16) throws -> TestSocket {
        var dialled: TestSocket?
        try eventually("its port free") {
            do {
                dialled = try dial(address, from: port)
            } catch let error as SystemCallError where error.errno == EADDRNOTAVAIL {}
            return dialled != nil
        }
        return try #require(dialled)
    }
}
