// What the units of this node dial: told at connect(2), so that no packet of theirs needs to be looked at.

import CBPF
import CNetfilter
import Linux
import Synchronization

/// Marks the sockets of units that dial a frontend, in whichever network namespace. A marked socket's packets stay in the namespace
/// (`LoopbackRoutes`) and come to the outgoing listener (chain `prerouting`), with the addresses that the unit dialled and comes from.
///
/// A program of BPF on the root of the cgroups is asked for every TCP connection that begins, after its route and its source are chosen
/// and before its first packet (BPF_SOCK_OPS_TCP_CONNECT_CB). Two more take the mark away again from a socket that is used for another
/// connection, before a route is chosen for that. Connections from before are never touched. The programs go with this object and
/// with the process; what they would have marked is refused then (chain `leaving`).
///
/// Needs Linux 5.15 and the root of cgroup v2.
public final class DialSteering: Sendable {
    private let frontends: BPFMap
    /// The namespaces that have any. The mark of others' sockets is their own affair.
    private let namespaces: BPFMap
    private let marking: BPFAttachment
    private let unmarking4, unmarking6: BPFAttachment
    /// What is in the map, by the namespace's cookie.
    private let inForce = Mutex<[UInt64: Steered]>([:])

    private struct Steered {
        var owner: ObjectIdentifier
        var frontends: Set<InterceptedFrontend>
    }

    /// Loads the programs and attaches them.
    init(_ marks: ConnectionMarks) throws(InterceptionError) {
        do throws(SystemCallError) {
            frontends = try BPFMap(
                BPF_MAP_TYPE_LPM_TRIE, keySize: MemoryLayout<FrontendKey>.size, most: 4 << 20, flags: Int(BPF_F_NO_PREALLOC), name: "sallyport_dial")
            namespaces = try BPFMap(
                BPF_MAP_TYPE_HASH, keySize: MemoryLayout<UInt64>.size, most: 1 << 16, flags: Int(BPF_F_NO_PREALLOC), name: "sallyport_units")
        } catch { throw .system(error) }
        let (map, units) = (frontends.descriptor.raw, namespaces.descriptor.raw)
        let root = try cgroupRoot()
        marking = try BPFAttachment(of: BPF_PROG_TYPE_SOCK_OPS, to: root, BPF_CGROUP_SOCK_OPS, name: "sallyport_mark") {
            $0.markDials(marks, frontends: map)
        }
        unmarking4 = try BPFAttachment(of: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, to: root, BPF_CGROUP_INET4_CONNECT, name: "sallyport_unmark") {
            $0.unmark(marks, in: units)
        }
        unmarking6 = try BPFAttachment(of: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, to: root, BPF_CGROUP_INET6_CONNECT, name: "sallyport_unmark") {
            $0.unmark(marks, in: units)
        }
    }

    /// Steers these and no others in a namespace, in the name of `owner`. What another steered there is its no more.
    /// - Throws: Nothing has changed then, as far as the kernel can still do that.
    func steer(_ wanted: Set<InterceptedFrontend>, in cookie: UInt64, for owner: AnyObject) throws(InterceptionError) {
        let result = inForce.withLock { inForce in
            Result { () throws(SystemCallError) in
                let old = inForce[cookie]?.frontends ?? []
                let added = wanted.subtracting(old)
                do throws(SystemCallError) {
                    try self.namespaces.insert(cookie)
                    for frontend in added { try self.frontends.insert(FrontendKey(frontend, in: cookie)) }
                    for frontend in old.subtracting(wanted) { try self.frontends.remove(FrontendKey(frontend, in: cookie)) }
                } catch {
                    for frontend in added { _ = try? self.frontends.remove(FrontendKey(frontend, in: cookie)) }
                    throw error
                }
                inForce[cookie] = Steered(owner: ObjectIdentifier(owner), frontends: wanted)
            }
        }
        do throws(SystemCallError) { try result.get() } catch { throw .system(error) }
    }

    /// Steers nothing there any more, unless another has taken the namespace over.
    func release(_ cookie: UInt64, of owner: AnyObject) {
        inForce.withLock { inForce in
            guard let steered = inForce[cookie], steered.owner == ObjectIdentifier(owner) else { return }
            inForce[cookie] = nil
            for frontend in steered.frontends { _ = try? frontends.remove(FrontendKey(frontend, in: cookie)) }
            _ = try? namespaces.remove(cookie)
        }
    }
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
