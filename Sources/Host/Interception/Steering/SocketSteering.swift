// Steering on the whole node: what units dial is told at connect(2), so that no packet of theirs needs to be looked at.

import CBPF
import CNetfilter
import Linux
import Synchronization

/// Notes what is dialled in the network namespaces of units, and marks the sockets that dial a frontend. A marked socket's packets stay in the
/// namespace (`LoopbackRoutes`), with the addresses that the unit dialled and comes from, and the program that looks for their listener there
/// (`SteeredNamespace`) knows them by the note.
///
/// A program of BPF on the root of the cgroups is asked for every TCP connection that begins, after its route and its source are chosen
/// and before its first packet (BPF_SOCK_OPS_TCP_CONNECT_CB). Two more are asked at connect(2), before a route is chosen: they take the mark away
/// again from a socket that is used for another connection, and refuse what nobody listens for. Connections from before are never touched.
///
/// With pins all of it outlives the process, and what it steers is refused until the next takes over; without, it goes with this object.
///
/// Needs Linux 5.18 and the root of cgroup v2.
public final class SocketSteering: Sendable {
    let marks: ConnectionMarks
    let pins: SteeringPins?
    /// The namespaces of units, by their cookie: a trie of frontends for each.
    private let units: BPFMap
    private let dials: BPFMap
    let notes: DialNotes
    /// The sockets that listen in a namespace, by its cookie.
    private let sockets: BPFMap
    /// The links of the programs.
    private let noting, admitting4, admitting6: Descriptor
    /// Who steers in a namespace.
    private let owners = Mutex<[UInt64: ObjectIdentifier]>([:])

    /// Loads the programs and attaches them, in the place of those that are there by these pins.
    init(_ marks: ConnectionMarks, pins: SteeringPins?) throws(InterceptionError) {
        self.marks = marks
        self.pins = pins
        try pins?.prepare()
        units = try pinned(SteeringPins.units, pins) { () throws(SystemCallError) in
            let one = try makeFrontends([])
            return try byNamespace(like: one, name: "sallyport_units")
        }
        sockets = try pinned(SteeringPins.sockets, pins) { () throws(SystemCallError) in
            let one = try makeSockets([])
            return try byNamespace(like: one, name: "sallyport_socks")
        }
        dials = try pinned("dials", pins, DialNotes.makeMap)
        do throws(SystemCallError) { notes = try DialNotes(in: dials) } catch { throw .system(error) }
        try calling { () throws(SystemCallError) in try pins?.sweep() }
        let (units, sockets, notes) = (units.descriptor.raw, sockets.descriptor.raw, notes)
        let root = try cgroupRoot()
        noting = try attach(
            BPFProgram(BPF_PROG_TYPE_SOCK_OPS, for: BPF_CGROUP_SOCK_OPS, name: "sallyport_note") { $0.noteDials(marks, units: units, notes: notes) },
            to: root.raw, pins, "noting")
        admitting4 = try attach(
            BPFProgram(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, for: BPF_CGROUP_INET4_CONNECT, name: "sallyport_admit4") {
                $0.admit(marks, family: AF_INET, units: units, sockets: sockets)
            }, to: root.raw, pins, "admitting4")
        admitting6 = try attach(
            BPFProgram(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, for: BPF_CGROUP_INET6_CONNECT, name: "sallyport_admit6") {
                $0.admit(marks, family: AF_INET6, units: units, sockets: sockets)
            }, to: root.raw, pins, "admitting6")
    }

    /// Steers what is dialled at `frontends` in a namespace, and nothing else there, to `listeners`, in the name of `owner`.
    func steer(in cookie: UInt64, _ frontends: borrowing BPFMap, to listeners: borrowing BPFMap, for owner: AnyObject) throws(SystemCallError) {
        let (frontends, listeners) = (frontends.descriptor.raw, listeners.descriptor.raw)
        let result = owners.withLock { owners in
            Result { () throws(SystemCallError) in
                try self.sockets.set(cookie, descriptor: listeners)
                try self.units.set(cookie, descriptor: frontends)
                owners[cookie] = ObjectIdentifier(owner)
            }
        }
        try result.get()
    }

    /// Steers nothing there any more, unless another has taken the namespace over.
    func release(_ cookie: UInt64, _ link: borrowing Descriptor, of owner: AnyObject) throws(SystemCallError) {
        let result = owners.withLock { owners in
            Result { () throws(SystemCallError) in
                guard owners[cookie] == ObjectIdentifier(owner) else { return }
                try self.units.remove(cookie)
                try self.sockets.remove(cookie)
                try detach(link)
                try self.pins?.remove("\(cookie)")
                owners[cookie] = nil
            }
        }
        try result.get()
    }
}

/// A map of maps like `one`, by the cookie of a namespace.
private func byNamespace(like one: borrowing BPFMap, name: String) throws(SystemCallError) -> BPFMap {
    try BPFMap(
        BPF_MAP_TYPE_HASH_OF_MAPS, keySize: MemoryLayout<UInt64>.size, most: 1 << 16, flags: UInt32(BPF_F_NO_PREALLOC), inner: one.descriptor.raw,
        name: name)
}

/// The map that is pinned by this name, or a new one.
private func pinned(
    _ name: String, _ pins: SteeringPins?, _ make: () throws(SystemCallError) -> BPFMap
) throws(InterceptionError) -> BPFMap {
    try calling { () throws(SystemCallError) in
        if let existing = try pins?.open(name) { return BPFMap(owning: existing, name: name) }
        let map = try make()
        try pins?.pin(map.descriptor, as: name)
        return map
    }
}

/// Attaches a program, in the place of the one that is pinned by this name.
func attach(
    _ program: borrowing BPFProgram, to target: Int32, _ pins: SteeringPins?, _ name: String
) throws(InterceptionError) -> Descriptor {
    do throws(SystemCallError) {
        if let existing = try pins?.open(name) {
            if (try? program.replaceThat(of: existing)) != nil { return existing }
            // What it was attached to is gone.
            try pins?.remove(name)
        }
        let link = try program.attached(to: target)
        try pins?.pin(link, as: name)
        return link
    } catch where error.errno == E2BIG {
        throw .tooManyPrograms(name: program.name)
    } catch { throw .system(error) }
}

/// The root of cgroup v2, where systemd mounts it: by itself, or beside the hierarchies of v1.
private func cgroupRoot() throws(InterceptionError) -> Descriptor {
    var seen = "no cgroup v2 at /sys/fs/cgroup or /sys/fs/cgroup/unified"
    for path in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
        guard let directory = try? Descriptor(opening: path, flags: O_RDONLY | O_DIRECTORY), cnetfilter_is_cgroup2(directory.raw) != 0 else { continue }
        // Only the root has no type; cgroups(7). Units run beside what is seen from below, and would not be steered.
        if faccessat(directory.raw, "cgroup.type", F_OK, 0) != 0 { return directory }
        seen = "\(path) is not the root of the cgroups, but what a cgroup namespace shows of them"
    }
    throw .noCgroupRoot(seen)
}
