// Whether sockets can be steered on this kernel, found out by doing it.

import CNetfilter
import Linux

extension SocketSteering {
    /// Steers dials from now on, if all that steering takes is there.
    /// - Parameter pins: Where it outlives the process; nil for one that goes with the process.
    /// - Throws: What is missing. nat needs none of it.
    public static func ifPossible(_ marks: ConnectionMarks = .standard, pins: SteeringPins?) throws(InterceptionError) -> SocketSteering {
        let steering = try SocketSteering(marks, pins: pins)
        do {
            try onThreadOfItsOwn {
                try syscall("unshare") { clinux_unshare(Int32(CLINUX_CLONE_NEWNET)) }
                try steering.interceptHere()
            }
        } catch { throw InterceptionError(error) }
        return steering
    }

    /// Makes listeners, the programs and the routes that go with them, in the namespace of the calling thread.
    private func interceptHere() throws {
        try raiseLoopback()
        let listeners = try makeListeners(workers: 1, transparent: true)
        defer { close(listeners) }
        let cookie = cnetfilter_namespace_cookie(listeners[0].incoming)
        if cookie == 0 { throw SystemCallError(call: "SO_NETNS_COOKIE", errno: clinux_errno()) }
        try LoopbackRoutes(forSteered: true).setHere(marks)
        let namespace = try SteeredNamespace(
            self, NetworkNamespace(path: "/proc/thread-self/ns/net"), cookie: cookie, listeners, TableElements(frontends: [], servedPorts: [1]))
        try namespace.begin()
        try namespace.end()
    }
}
