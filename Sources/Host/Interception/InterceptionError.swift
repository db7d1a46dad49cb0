// What can go wrong between the enforcer and the kernel, in sentences for the operator.

import Linux

/// A failure to reach into a network namespace or to change what it intercepts.
public enum InterceptionError: Error, Equatable, Sendable {
    /// There is no file or process of that name.
    case namespaceMissing(String)
    /// The file is there but is something else.
    case notANetworkNamespace(String)
    /// What was opened is no longer what its name stands for: the container ended, perhaps another took its place.
    case namespaceVanished(String)
    /// The kernel refused for want of a capability.
    case missingCapability(String, doing: String)
    /// Another process holds the table, with a claim that the kernel enforces (nft's `flags owner`).
    case tableOwnedByAnother(namespace: String)
    /// Redirected connections of the unit itself arrive on loopback, which is down.
    case loopbackDown(namespace: String)
    /// The kernel refused a part of the table.
    case refused(part: String, namespace: String, reason: String)
    /// The kernel refused a program of BPF; without it the same is done by nat.
    case programRefused(name: String, reason: String)
    /// The kernel attaches no more of them (BPF_CGROUP_MAX_PROGS).
    case tooManyPrograms(name: String)
    /// What the units dial cannot be told from here, but by nat.
    case noCgroupRoot(String)
    /// What is steered would pass after a crash.
    case noPinning(String)
    case system(SystemCallError)
}

extension InterceptionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .namespaceMissing(let name):
            "no network namespace \(name): start the container first, or mend networkNamespace of the processing unit"
        case .notANetworkNamespace(let name):
            "\(name) is not a network namespace: networkNamespace must name a process id, /proc/PID/ns/net or a file that `ip netns add` made"
        case .namespaceVanished(let name):
            "network namespace \(name) has vanished: its container ended; remove the processing unit or start it again"
        case .missingCapability(let capability, let doing):
            "cannot \(doing) without \(capability): run as root, or give the service AmbientCapabilities=\(capability)"
        case .tableOwnedByAnother(let namespace):
            "nftables table inet sallyport in network namespace \(namespace) belongs to another running process: only one enforcer can protect it; stop the other"
        case .loopbackDown(let namespace):
            "loopback is down in network namespace \(namespace), and redirected connections arrive there: run `ip link set lo up` in it"
        case .refused(let part, let namespace, let reason):
            "the kernel refused \(part) of nftables table inet sallyport in network namespace \(namespace): \(reason); `sallyportd --check-kernel` names what it lacks"
        case .programRefused(let name, let reason):
            "the kernel refused BPF program \(name): \(reason); use Linux 5.18 or later"
        case .tooManyPrograms(let name):
            "64 programs are attached already where BPF program \(name) belongs: remove what daemons that are gone have left under /sys/fs/bpf/sallyport (`sallyportd --uninstall` with their configuration)"
        case .noCgroupRoot(let seen):
            "\(seen): let the daemon see the node's own cgroup v2 hierarchy at /sys/fs/cgroup"
        case .noPinning(let seen):
            "\(seen): mount one there (`mount -t bpf bpf /sys/fs/bpf`, as systemd does) and let the daemon write to it"
        case .system(let error): error.description
        }
    }
}

extension InterceptionError {
    /// What work on a thread of its own has thrown (`onThreadOfItsOwn`, `NetworkNamespace.run`): one of these, or a system call's.
    init(_ error: any Error) {
        switch error {
        case let error as InterceptionError: self = error
        case let error as SystemCallError: self = .system(error)
        default: self = .system(SystemCallError(call: "clone", errno: EAGAIN, subject: "\(error)"))
        }
    }
}

/// Gives what `body` returns, and its error as this module's.
func calling<Value: ~Copyable>(_ body: () throws(SystemCallError) -> Value) throws(InterceptionError) -> Value {
    do throws(SystemCallError) { return try body() } catch { throw .system(error) }
}
