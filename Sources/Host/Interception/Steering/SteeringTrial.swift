// Whether sockets can be steered on this kernel, found out by doing it.

import CNetfilter
import Linux

extension DialSteering {
    /// Steers dials from now on, if all that steering takes is there.
    /// - Throws: What is missing. nat needs none of it.
    public static func ifPossible(_ marks: ConnectionMarks = .standard) throws(InterceptionError) -> DialSteering {
        let steering = try DialSteering(marks)
        do {
            try onThreadOfItsOwn {
                try syscall("unshare") { clinux_unshare(Int32(CLINUX_CLONE_NEWNET)) }
                try interceptHere(marks)
            }
        } catch let error as InterceptionError {
            throw error
        } catch let error as SystemCallError {
            throw .system(error)
        } catch {
            throw .system(SystemCallError(call: "clone", errno: EAGAIN, subject: "\(error)"))
        }
        return steering
    }
}

/// Makes listeners, the table and the routes that go with it, in the namespace of the calling thread.
private func interceptHere(_ marks: ConnectionMarks) throws {
    try raiseLoopback()
    let listeners = try makeListeners(workers: 1, transparent: true)
    defer { close(listeners) }
    if cnetfilter_namespace_cookie(listeners[0].incoming) == 0 { throw SystemCallError(call: "SO_NETNS_COOKIE", errno: clinux_errno()) }
    let table = SallyportTable(kind: .container, marks: marks, listeners: listeners, endsWithItsOwner: false)
    try NetfilterSocket(namespace: "of the trial").commit(table.creation(TableElements(frontends: [], servedPorts: [1]), by: .steering))
    try LoopbackRoutes(forSteered: true).setHere(marks)
}
