// Checks of namespaces, processing units and external networks: who is there.

import Linux
import SallyportProtocol

extension Checks {
    mutating func check(_ namespace: Namespace) {
        tags(namespace.tags)
        let action = namespace.defaultAction
        if case .UNRECOGNIZED = action.incoming { fail("spec.defaultAction.incoming", "must be Allow, Reject or Inherit") }
        if case .UNRECOGNIZED = action.outgoing { fail("spec.defaultAction.outgoing", "must be Allow, Reject or Inherit") }
        if case .UNRECOGNIZED = namespace.serviceDependencyDefault {
            fail("spec.serviceDependencyDefault", "must be Enabled or Disabled")
        }
        if case .UNRECOGNIZED = namespace.onPolicyChange { fail("spec.onPolicyChange", "must be Reset, Drain or Keep") }
        if case .UNRECOGNIZED = namespace.failureMode { fail("spec.failureMode", "must be Closed or Open") }
    }

    mutating func check(_ unit: ProcessingUnit) {
        tags(unit.tags)
        each(unit.addresses, at: "spec.addresses") { text throws(SyntaxProblem) in try parseAddress(text) }
        if !unit.node.isEmpty { attempt("spec.node") { () throws(SyntaxProblem) in try checkName(unit.node) } }
        networkNamespace(unit)
        cgroup(unit)
        switch unit.type {
        case .container, .hostService, .host: break
        case .unspecified, .UNRECOGNIZED: fail("spec.type", "must be Host, HostService or Container")
        }
    }

    private mutating func networkNamespace(_ unit: ProcessingUnit) {
        let field = "spec.networkNamespace"
        switch unit.networkNamespace {
        case nil: return
        case .networkNamespacePid(let pid):
            if pid < 1 { fail(field, "must be a process id from 1 on, not \(pid)") }
        case .networkNamespacePath(let path):
            if !path.hasPrefix("/") || path.utf8.contains(0) {
                fail(field, "\(quoted(path)) must be an absolute path, such as /run/netns/web, or a process id without quotes")
            }
        }
        if unit.type == .host || unit.type == .hostService {
            fail(field, "only a Container has one; remove it, or make the type Container")
        }
    }

    private mutating func cgroup(_ unit: ProcessingUnit) {
        let field = "spec.cgroup"
        if unit.cgroup.isEmpty {
            if unit.type == .hostService { fail(field, "is missing; a HostService is a cgroup, such as system.slice/nginx.service") }
            return
        }
        if unit.type == .host || unit.type == .container {
            fail(field, "only a HostService has one; remove it, or make the type HostService")
        }
        let parts = unit.cgroup.split(separator: "/", omittingEmptySubsequences: false)
        if parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." || $0.utf8.contains(0) }) {
            fail(field, "\(quoted(unit.cgroup)) must be a path below the cgroup mount, such as system.slice/nginx.service")
        }
    }

    mutating func check(_ network: ExternalNetwork) {
        tags(network.tags)
        let field = "spec.entries"
        if network.entries.isEmpty { fail(field, "is empty; give at least one CIDR or domain name") }
        let entries = each(network.entries, at: field) { text throws(SyntaxProblem) in try ExternalEntry(text) }
        let included = entries.compactMap { if case .network(let cidr) = $0.value { cidr } else { nil } }
        for (index, entry) in entries {
            guard case .exclusion(let excluded) = entry else { continue }
            if !included.contains(where: { $0.contains(excluded) }) {
                fail("\(field)[\(index)]", "\(quoted(network.entries[index])) lies in no CIDR of this network; remove it, or include one around it")
            } else if included.contains(excluded) {
                fail("\(field)[\(index)]", "excludes all of \(excluded), which is included; remove both")
            }
        }
    }
}
