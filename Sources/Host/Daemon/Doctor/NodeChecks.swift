// Is this node fit for it: the kernel, the daemon's privileges, the clock, the plugins.

import Interception
import SallyportProtocol

extension DoctorFacts {
    var kernelChecks: [DoctorCheck] {
        guard let kernel else {
            return [check("kernel", .failed, "could not be tried: no thread could be started", "raise TasksMax= of the service, or free memory")]
        }
        let found = kernel.filter { !$0.available }.map {
            check(
                "kernel", $0.isRequired ? .failed : .warning, "\($0.name): \($0.detail)",
                $0.mend.isEmpty ? "see `sallyportd --check-kernel`" : $0.mend)
        }
        return unless(found, "kernel", "has everything that is asked of it")
    }

    var privilegeChecks: [DoctorCheck] {
        guard let capabilities else {
            return [check("privileges", .warning, "cannot be read from /proc/self/status", "mount /proc where the daemon runs")]
        }
        // linux/capability.h; docs/operations.md says what each is for.
        let wanted: [(name: String, bit: UInt64, isRequired: Bool)] = [
            ("CAP_NET_ADMIN", 12, true), ("CAP_SYS_ADMIN", 21, true), ("CAP_SYS_PTRACE", 19, false), ("CAP_SETUID", 7, false),
            ("CAP_SETGID", 6, false), ("CAP_KILL", 5, false), ("CAP_CHOWN", 0, false),
        ]
        let found = wanted.filter { capabilities & (1 << $0.bit) == 0 }.map {
            check(
                "privileges", $0.isRequired ? .failed : .warning, "\($0.name) is missing",
                "add it to CapabilityBoundingSet= of the service; docs/operations.md says what it is for")
        }
        return unless(found, "privileges", "are there")
    }

    var clockChecks: [DoctorCheck] {
        var found: [DoctorCheck] = []
        for (unit, certificate) in certificates.sorted(by: { $0.key < $1.key }) where certificate.notBefore > now {
            let ahead = shown(seconds: certificate.notBefore.subtractingReportingOverflow(now).partialValue)
            found.append(
                check("clock", .failed, "\(unit): its certificate begins in \(ahead): this clock is behind, or the issuer's ahead", "set the clocks of both"))
        }
        switch clockIsSynchronised {
        case true?: break
        case false?:
            found.append(
                check("clock", .warning, "is kept right by nobody; nodes whose clocks differ by over five minutes refuse each other's certificates",
                    "run chrony, systemd-timesyncd or another NTP client"))
        case nil:
            found.append(
                check("clock", .warning, "cannot be asked whether it is synchronised: the service may not call adjtimex",
                    "allow adjtimex and clock_adjtime in SystemCallFilter= of the service, without ProtectClock=; until then ask `timedatectl` or `chronyc tracking`"))
        }
        return unless(found, "clock", "is synchronised")
    }

    var pluginChecks: [DoctorCheck] {
        var found = plugins.filter { $0.state != .ready && $0.state != .disabled }.map {
            check(
                "plugins", $0.required || $0.state == .failed ? .failed : .warning,
                "\($0.name) is \($0.state.word)" + ($0.message.isEmpty ? "" : ": \($0.message)"), "see \($0.dropIn) and `sallyport plugins`")
        }
        let active = plugins.filter { $0.state != .disabled }
        // One that has not described itself yet may be for what is missing, and has a line of its own.
        if !active.contains(where: \.kinds.isEmpty) {
            for (kind, name, consequence) in [
                (Sallyport_Plugin_V1_PluginKind.policySource, "policy source", "nothing is protected"),
                (.tlsProvider, "TLS provider", "no unit has a certificate"),
                (.loadBalancerAdapter, "load-balancer adapter", "names of services are not resolved"),
            ] where !active.contains(where: { $0.kinds.contains(kind) }) {
                found.append(check("plugins", .failed, "there is no \(name): \(consequence)", "put a drop-in for one into plugins.d, then `sallyport reload`"))
            }
        }
        let ready = plugins.count { $0.state == .ready }
        return unless(found, "plugins", "\(ready) \(ready == 1 ? "is" : "are") ready")
    }
}

extension Sallyport_Control_V1_PluginStatus.State {
    fileprivate var word: String {
        switch self {
        case .starting: "starting"
        case .ready: "ready"
        case .degraded: "degraded"
        case .backoff: "backing off"
        case .failed: "failed"
        case .disabled: "disabled"
        case .UNRECOGNIZED: "in an unknown state"
        }
    }
}
