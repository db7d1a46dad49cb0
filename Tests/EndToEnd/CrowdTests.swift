// As many connections at once as a load balancer with one address can have to one unit, and what is said of those past that.

import Glibc
import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct CrowdTests {
    /// Says back what it hears.
    private static let echo = """
        import select, socket
        listener = socket.create_server(("0.0.0.0", 443), backlog=4096)
        poll, clients = select.epoll(), {}
        poll.register(listener, select.EPOLLIN)
        print("ready", flush=True)
        while True:
            for number, _ in poll.poll():
                if number == listener.fileno():
                    client, _ = listener.accept()
                    clients[client.fileno()] = client
                    poll.register(client, select.EPOLLIN)
                    continue
                try:
                    heard = clients[number].recv(64)
                    clients[number].send(heard)
                except OSError:
                    heard = b""
                if not heard:
                    poll.unregister(number)
                    clients.pop(number).close()
        """

    /// Opens as many connections as are asked for, 500 at a time, then more, and asks all of the first once again. Prints a line for
    /// every 500, and in the end how many were answered of the first, of the others, and of the first again.
    private static let crowd = """
        import socket, sys
        host, port, first, more = sys.argv[1], *map(int, sys.argv[2:])
        def say(client):
            try: client.sendall(b"x")
            except OSError: pass
        def hears(client):
            try: return client.recv(1) == b"x"
            except OSError: return False
        def opened(count):
            answered = []
            for _ in range(count // 500):
                clients = [socket.create_connection((host, port), timeout=60) for _ in range(500)]
                for client in clients: say(client)
                answered += [client for client in clients if hears(client)]
                print(".", flush=True)
            return answered
        crowd = opened(first)
        late = opened(more)
        for client in crowd: say(client)
        print(len(crowd), len(late), sum(map(hears, crowd)), "in all", flush=True)
        sys.stdin.read()
        """

    /// Opens 1,000 connections, stops the daemon, says hello on all, lets it go on once their time is over, and prints how many are answered.
    private static let patient = """
        import os, signal, socket, ssl, sys, time
        host, port, daemon, wait = sys.argv[1], *map(int, sys.argv[2:])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        try: context.wrap_bio(heard, said).do_handshake()
        except ssl.SSLWantReadError: hello = said.read()
        clients = [socket.create_connection((host, port), timeout=30) for _ in range(1000)]
        # Past the moment in which an enforcer would have spoken: now the handshake's time runs.
        time.sleep(1)
        os.kill(daemon, signal.SIGSTOP)
        for client in clients: client.sendall(hello)
        time.sleep(wait)
        os.kill(daemon, signal.SIGCONT)
        def served(client):
            try: return client.recv(1) == b"\\x16"
            except OSError: return False
        print(sum(map(served, clients)))
        """

    /// 60,000, or as many as the daemon may have descriptors for: two each. (`LimitNOFILE=` of the service allows 500,000.)
    private static var count: Int {
        get throws {
            var limit = rlimit()
            try syscall("getrlimit") { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
            return min(60_000, (Int(clamping: limit.rlim_max) - 4000) / 2 / 500 * 500)
        }
    }

    @Test("thousands of connections at once from one load balancer's address to one unit live; past the unit's source ports more are refused with the reason, and the others live on")
    func crowd() throws {
        // Nothing is written of flows while they live.
        let scene = try PublicScene(settings: "timeouts: {lasting: 1h}")
        try scene.service("{mode: None}")
        let count = try Self.count
        // Of these ports listeners have a few.
        try scene.server.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=4000 \(4000 + count + 999)")
        try scene.balancer.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
        let echo = try scene.server.start("bash", "-c", "ulimit -n hard; exec python3 -c \"$0\"", Self.echo)
        try echo.wait("listened") { echo.outputSoFar == "ready\n" }
        try scene.eventually("served") {
            try scene.balancer.run("bash", "-c", "exec 3<>/dev/tcp/10.1.0.2/31595; echo >&3; timeout 5 head -c 1 <&3 | wc -c").output == "1\n"
        }
        let crowd = try scene.balancer.start(
            "bash", "-c", "ulimit -n hard; exec python3 -c \"$@\"", "", Self.crowd, "10.1.0.2", "31595", "\(count)", "2000")
        while !crowd.outputSoFar.contains("in all") {
            let before = crowd.outputSoFar
            try crowd.wait("went on") { crowd.outputSoFar != before }
        }
        let last = try #require(crowd.outputSoFar.split(separator: "\n").last)
        let counts = last.split(separator: " ").compactMap { Int($0) }
        #expect(counts.count == 3 && counts[0] == count && counts[1] <= 1000 && counts[2] == count, "\(last)")
        #expect(try scene.enforcer.metric("sallyport_live_flows") ?? 0 >= Double(count))
        let flow = try scene.enforcer.flow { $0.reason == "out-of-ports" }
        #expect(flow.detail?.contains("net.ipv4.ip_local_port_range") == true && flow.sourceAddress == "10.1.0.9", "\(flow)")
        crowd.stop()
        echo.stop()
    }

    @Test("a daemon that was held up serves all who spoke in time, however many they are")
    func heldUp() throws {
        let scene = try PublicScene(settings: "timeouts: {handshake: 5s}")
        try scene.server.nginx(port: 443, body: "the secret of a server")
        try scene.service("{mode: InternalCA}")
        try scene.eventually("served") { try scene.curl("https://10.1.0.9:443/", "--cacert", scene.bundle).status == 0 }
        let served = try scene.outside.run(
            "bash", "-c", "ulimit -n hard; exec python3 -c \"$@\"", "", Self.patient, "10.1.0.2", "31595", "\(scene.enforcer.pid)", "6")
        #expect(served.output == "1000\n", "\(served)")
    }
}
