// What is redirected, to where, and what is left alone.

import Interception
import Linux
import Support
import Testing

/// A node with a client and a server.
struct Neighbours {
    let node: NetworkNode
    let client, server: NetworkContainer
    let clientInside, serverInside: NetworkNamespace

    init() throws {
        node = try Network().node("node", "10.1.0.1/24", "fd00:1::1/64")
        client = try node.container("client", "10.244.1.10/24", "fd00:244:1::10/64")
        server = try node.container("server", "10.244.1.20/24", "fd00:244:1::20/64")
        clientInside = try NetworkNamespace(client)
        serverInside = try NetworkNamespace(server)
    }
}

@Suite(.enabled(if: Network.isPossible, "needs root, to make network namespaces"), .serialized)
struct RedirectionTests {
    @Test(
        "a connection to a frontend comes to the outgoing listener, with the address that was dialled",
        arguments: Redirection.allCases, ["10.96.0.10:9376", "[fd00:10:96::10]:9376"])
    func outgoing(redirection: Redirection, address: String) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("10.96.0.10:9376", "[fd00:10:96::10]:9376"), servedPorts: [])

        let application = try net.clientInside.dial(address)
        let accepted = try accept(from: interceptor.outgoing + interceptor.incoming)
        #expect(accepted.dialled == address)
        #expect(accepted.listener == interceptor.outgoing[0])
        try application.send("hello")
        #expect(try accepted.socket.receive() == "hello")
    }

    @Test(
        "what others dial at a served port comes to the incoming listener",
        arguments: Redirection.allCases, ["10.244.1.20:80", "[fd00:244:1::20]:80"])
    func incoming(redirection: Redirection, address: String) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.server, by: redirection)
        try interceptor.apply(frontends: [], servedPorts: [80])

        let application = try net.clientInside.dial(address)
        let accepted = try accept(from: interceptor.outgoing + interceptor.incoming)
        #expect(accepted.dialled == address)
        #expect(accepted.listener == interceptor.incoming[0])
        try accepted.socket.send("answer")
        #expect(try application.receive() == "answer")
    }

    @Test(
        "a connection from a port whose last one was the enforcer's, and was reset, is redirected all the same",
        arguments: Redirection.allCases)
    func portOfTheEnforcer(redirection: Redirection) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [])
        let server = try net.serverInside.listen(port: 80)

        let enforcer = try net.clientInside.dial("10.244.1.20:80", as: .enforcerToNetwork, from: 45_000)
        try server.wait(for: POLLIN)
        try TestSocket(try syscall("accept") { Glibc.accept(server.raw, nil, nil) }).resetAtItsEnd()
        // The reset is something to read.
        try enforcer.wait(for: POLLIN)

        _ = try net.clientInside.dial("10.244.1.20:80", from: 45_000)
        let redirected = try accept(from: interceptor.outgoing)
        #expect(redirected.dialled == "10.244.1.20:80")
    }

    @Test(
        "a frontend may be a block, also one that holds others",
        arguments: Redirection.allCases, ["10.1.2.3:80", "10.200.0.1:80", "[fd01::5]:80"])
    func blocks(redirection: Redirection, address: String) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(
            frontends: frontends("10.1.0.0/16:80", "10.0.0.0/8:80", "10.1.2.3:80", "[fd01::/64]:80", "[fd01::/96]:80"), servedPorts: [])

        let application = try net.clientInside.dial(address)
        #expect(try accept(from: interceptor.outgoing).dialled == address)
        _ = application
    }

    @Test("every address on a port can be intercepted, loopback excepted", arguments: Redirection.allCases)
    func everything(redirection: Redirection) throws {
        let net = try Neighbours()
        let listening = try net.clientInside.listen(port: 80)
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("0.0.0.0/0:80", "[::/0]:80"), servedPorts: [80])

        for address in ["198.51.100.7:80", "[2001:db8::7]:80"] {
            _ = try net.clientInside.dial(address)
            #expect(try accept(from: interceptor.outgoing).dialled == address)
        }
        for address in ["127.0.0.1:80", "[::1]:80"] {
            _ = try net.clientInside.dial(address)
            _ = try accept(from: [listening.raw])
        }
    }

    @Test("what is no frontend goes where it was dialled", arguments: Redirection.allCases)
    func others(redirection: Redirection) throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 81)
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [])

        _ = try net.clientInside.dial("10.244.1.20:81")
        _ = try accept(from: [server.raw])
    }

    @Test(
        "the enforcer's own connections go where it dials",
        arguments: Redirection.allCases, [Dialler.enforcerToNetwork, .enforcerToApplication])
    func marks(redirection: Redirection, dialler: Dialler) throws {
        let net = try Neighbours()
        let server = try net.serverInside.listen(port: 80)
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [])

        let dialled = try net.clientInside.dial("10.244.1.20:80", as: dialler)
        try dialled.send("past")
        #expect(try accept(from: [server.raw]).socket.receive() == "past")
    }

    @Test("the enforcer reaches the application at the port it serves, and the unit reaches itself", arguments: Redirection.allCases)
    func application(redirection: Redirection) throws {
        let net = try Neighbours()
        let application = try net.serverInside.listen(port: 80)
        let interceptor = try Interceptor(of: net.server, by: redirection)
        try interceptor.apply(frontends: [], servedPorts: [80])

        for address in ["10.244.1.20:80", "[fd00:244:1::20]:80", "127.0.0.1:80"] {
            _ = try net.serverInside.dial(address, as: .enforcerToApplication)
            _ = try accept(from: [application.raw])
            _ = try net.serverInside.dial(address, as: .application)
            _ = try accept(from: [application.raw])
        }
    }

    @Test("a unit that dials itself through a service meets both its own listeners", arguments: Redirection.allCases)
    func itself(redirection: Redirection) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.server, by: redirection)
        try interceptor.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [80])

        _ = try net.serverInside.dial("10.244.1.20:80")
        #expect(try accept(from: interceptor.outgoing).dialled == "10.244.1.20:80")
        _ = try net.serverInside.dial("10.244.1.20:80", as: .enforcerToNetwork)
        #expect(try accept(from: interceptor.incoming).dialled == "10.244.1.20:80")
    }

    @Test("a service that leads back to the unit that dials it comes to both its listeners", arguments: Redirection.allCases)
    func hairpin(redirection: Redirection) throws {
        let net = try Neighbours()
        try net.node.clusterIP("10.96.0.10", port: 9376, to: "10.244.1.20:80")
        let interceptor = try Interceptor(of: net.server, by: redirection)
        try interceptor.apply(frontends: frontends("10.96.0.10:9376"), servedPorts: [80])

        _ = try net.serverInside.dial("10.96.0.10:9376")
        #expect(try accept(from: interceptor.outgoing).dialled == "10.96.0.10:9376")
        _ = try net.serverInside.dial("10.96.0.10:9376", as: .enforcerToNetwork)
        #expect(try accept(from: interceptor.incoming).dialled == "10.244.1.20:80")
    }

    @Test("nobody reaches a listener but by redirection", arguments: Redirection.allCases)
    func listenersAreClosed(redirection: Redirection) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.server, by: redirection)
        try interceptor.apply(frontends: [], servedPorts: [80])

        let pair = interceptor.listeners[0]
        for port in [pair.outgoingPort, pair.incomingPort] {
            for address in ["10.244.1.20:\(port)", "[fd00:244:1::20]:\(port)"] {
                #expect(try net.clientInside.failureToDial(address) == ECONNREFUSED)
                for dialler in Dialler.allCases {
                    #expect(try net.serverInside.failureToDial(address, as: dialler) == ECONNREFUSED)
                }
            }
        }
    }

    @Test("connections are dealt out to the workers in turn", arguments: Redirection.allCases)
    func turns(redirection: Redirection) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.client, by: redirection, workers: 3)
        try interceptor.apply(frontends: frontends("10.96.0.10:80"), servedPorts: [])

        var counts: [Int32: Int] = [:]
        for _ in 0..<9 {
            _ = try net.clientInside.dial("10.96.0.10:80")
            counts[try accept(from: interceptor.outgoing).listener, default: 0] += 1
        }
        #expect(counts == Dictionary(uniqueKeysWithValues: interceptor.outgoing.map { ($0, 3) }))
    }

    @Test("no other process can listen on a worker's port, even with SO_REUSEPORT", arguments: Redirection.allCases)
    func portsAreOurs(redirection: Redirection) throws {
        let net = try Neighbours()
        let interceptor = try Interceptor(of: net.server, by: redirection)
        let port = interceptor.listeners[0].incomingPort
        let thief = try net.server.run("python3", "-c", """
            import socket
            s = socket.socket(socket.AF_INET)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("10.244.1.20", \(port)))
            """)
        #expect(thief.status != 0)
        #expect(thief.errors.contains("Address already in use"))
    }

    @Test("connections from before go on, though conntrack first sees them in the middle", arguments: Redirection.allCases)
    func earlierConnections(redirection: Redirection) throws {
        let net = try Neighbours()
        let listening = try net.serverInside.listen(port: 80)
        let client = try net.clientInside.dial("10.244.1.20:80")
        let server = try accept(from: [listening.raw]).socket

        let outgoing = try Interceptor(of: net.client, by: redirection)
        let incoming = try Interceptor(of: net.server, by: redirection)
        try outgoing.apply(frontends: frontends("10.244.1.20:80"), servedPorts: [])
        try incoming.apply(frontends: [], servedPorts: [80])
        try client.send("still")
        #expect(try server.receive() == "still")
        try server.send("here")
        #expect(try client.receive() == "here")
    }

    @Test("a namespace without IPv6 addresses is intercepted over IPv4", arguments: Redirection.allCases)
    func withoutIPv6(redirection: Redirection) throws {
        let net = try Neighbours()
        try net.client.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        let interceptor = try Interceptor(of: net.client, by: redirection)
        try interceptor.apply(frontends: frontends("10.96.0.10:80", "[fd00::1]:80"), servedPorts: [80])

        _ = try net.clientInside.dial("10.96.0.10:80")
        #expect(try accept(from: interceptor.outgoing).dialled == "10.96.0.10:80")
    }
}
