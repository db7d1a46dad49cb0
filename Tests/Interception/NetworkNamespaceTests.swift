// Opening namespaces, and what is none.

import Interception
import Linux
import Logging
import Support
import Testing

@Suite(.enabled(if: Network.isPossible, "needs root, to make network namespaces"))
struct NetworkNamespaceTests {
    @Test("what runs inside a namespace sees that namespace, and the caller stays where it was")
    func inside() throws {
        let node = try Network().node("node", "10.1.0.1/24")
        let own = try NetworkNamespace.own()
        let other = try NetworkNamespace(path: node.namespacePath)
        #expect(other.inode != own.inode)
        #expect(try other.run { try current() } == other.inode)
        #expect(try current() == own.inode)
        // A thread that was inside is not handed to anybody afterwards.
        #expect(try own.run { try current() } == own.inode)
    }

    @Test("a namespace is the same by path and by process id")
    func byProcess() throws {
        let node = try Network().node("node", "10.1.0.1/24")
        let program = try node.start("sleep", "60")
        try program.wait("entered the namespace") {
            try NetworkNamespace(pid: program.pid).inode == NetworkNamespace(path: node.namespacePath).inode
        }
        #expect(try NetworkNamespace(pid: program.pid).isPresent)
    }

    @Test("a process that ended takes its namespace along")
    func endedProcess() throws {
        let node = try Network().node("node", "10.1.0.1/24")
        let program = try node.start("sleep", "60")
        let namespace = try NetworkNamespace(pid: program.pid)
        program.stop()
        #expect(!namespace.isPresent)
        #expect(throws: InterceptionError.namespaceMissing("/proc/\(program.pid)/ns/net")) { try NetworkNamespace(pid: program.pid) }
    }

    @Test("a namespace that vanished is an error that says so, and opens nothing", arguments: Redirection.allCases)
    func vanished(redirection: Redirection) throws {
        let network = try Network()
        let node = try network.node("node", "10.1.0.1/24")
        let interceptor = try Interceptor(of: node, by: redirection)
        try interceptor.apply(frontends: frontends("10.96.0.10:80"), servedPorts: [])
        try network.removeNamespace(of: node)
        #expect(throws: InterceptionError.namespaceVanished(node.namespacePath)) {
            try interceptor.apply(frontends: frontends("10.96.0.11:80"), servedPorts: [])
        }
        #expect(throws: InterceptionError.namespaceMissing(node.namespacePath)) { try Interceptor(of: node, by: redirection) }
    }

    @Test("what is no network namespace is refused by name", arguments: ["/etc/passwd", "/dev/null", "/proc/self/ns/uts", "/proc", "FIFO"])
    func notANamespace(path: String) throws {
        let directory = try TemporaryDirectory()
        var path = path
        if path == "FIFO" {
            path = directory.path + "/fifo"
            #expect(mkfifo(path, 0o600) == 0)
        }
        #expect(throws: InterceptionError.notANetworkNamespace(path)) { try NetworkNamespace(path: path) }
        #expect("\(InterceptionError.notANetworkNamespace(path))".contains("is not a network namespace"))
    }

    @Test("loopback that is down is named, since redirected connections arrive there", arguments: Redirection.allCases)
    func loopbackDown(redirection: Redirection) throws {
        let node = try Network().node("node", "10.1.0.1/24")
        try node.run("ip", "link", "set", "lo", "down")
        #expect(throws: InterceptionError.loopbackDown(namespace: node.namespacePath)) { try Interceptor(of: node, by: redirection) }
    }

    @Test("everything that the enforcer needs of this kernel is there or says what is missing and what to do")
    func probe() throws {
        let features = probeKernel()
        #expect(features.contains { $0.name == "nftables nat redirect" })
        // ClientAddressTests have it make such routes: a probe that says no is wrong.
        #expect(features.contains { $0.name == "policy routing" && $0.available })
        for feature in features {
            #expect(feature.available || !feature.isRequired, "\(feature.name): \(feature.detail)")
            #expect(feature.available == feature.mend.isEmpty, "\(feature.name)")
        }
    }

    private func current() throws -> UInt64 {
        var facts = stat()
        try syscall("stat") { stat("/proc/thread-self/ns/net", &facts) }
        return UInt64(facts.st_ino)
    }
}
