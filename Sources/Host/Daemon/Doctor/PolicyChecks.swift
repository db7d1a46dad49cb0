// Is the policy whole, and has every unit that it names its connections led here, and a certificate in date?

import SallyportProtocol

extension DoctorFacts {
    var policyChecks: [DoctorCheck] {
        let whole = conditions.map { check("policy", .failed, $0, "see `sallyport plugins` and the daemon's log") }
        let found = problems.map { problem in
            let place = problem.origin.isEmpty ? objectPath(problem.key.namespace, problem.key.name) : problem.origin
            return check(
                "policy", problem.severity == .warning ? .warning : .failed,
                "\(place): \(problem.field.isEmpty ? "" : problem.field + ": ")\(problem.message)", "mend the document; the last good version is in force until then")
        }
        return unless(whole + found, "policy", "has no problems")
    }

    var interceptionChecks: [DoctorCheck] {
        let local = units.filter(\.local)
        let found = local.filter { !$0.intercepted }.map {
            check(
                "interception", .failed, "\($0.path) is not intercepted\($0.problem.isEmpty ? " yet" : ": \($0.problem)")",
                "mend what it says; until then the unit is unprotected, or has only what was in force before")
        }
        if local.isEmpty { return [check("interception", .passed, "has nothing to do: no unit is of this node")] }
        let steered = local.count { $0.redirection == .steering }
        let byNat = local.count { $0.redirection == .nat }
        return unless(found, "interception", "of every unit of this node, \(steered) by steering and \(byNat) by nat")
    }

    var certificateChecks: [DoctorCheck] {
        var found: [DoctorCheck] = []
        for unit in units where unit.local { found += checks(of: unit) }
        for service in services where service.publicPort != 0 { found += checks(ofPublicPort: service) }
        return unless(found, "certificates", "are in date, for every unit and public port of this node")
    }

    private func checks(of unit: UnitStatus) -> [DoctorCheck] {
        func found(_ outcome: Sallyport_Control_V1_DoctorResponse.Outcome, _ text: String) -> [DoctorCheck] {
            [
                check(
                    "certificates", outcome, "\(unit.path): \(text)",
                    "see the TLS provider in `sallyport plugins`, and the daemon's log; flows are refused, or pass unprotected, without a certificate")
            ]
        }
        if unit.certificateNotAfter == 0 { return found(.failed, "has no certificate yet") }
        let certificate = certificates[unit.path]
        let why = certificate?.problem.map { ": \($0)" } ?? ""
        let left = unit.certificateNotAfter.subtractingReportingOverflow(now).partialValue
        if left <= 0 { return found(.failed, "its certificate has ended\(why)") }
        guard let certificate else { return [] }
        let life = unit.certificateNotAfter.subtractingReportingOverflow(certificate.notBefore).partialValue
        // A renewal is due at two thirds of its life.
        if left < life / 10 { return found(.warning, "its certificate was not renewed, and ends in \(shown(seconds: left))\(why)") }
        if certificate.problem != nil { return found(.warning, "its certificate could not be renewed, and ends in \(shown(seconds: left))\(why)") }
        return []
    }

    private func checks(ofPublicPort service: ServiceStatus) -> [DoctorCheck] {
        var found: [DoctorCheck] = []
        let name = service.path
        if !service.publicProblem.isEmpty {
            let isServed = servedPublicly.contains(name)
            found.append(
                check(
                    "certificates", isServed ? .warning : .failed, "\(name): \(service.publicProblem)",
                    isServed ? "mend what it says; clients are served what was good last" : "mend what it says; until then clients of the public port are refused"))
        }
        guard service.publicCertificateNotAfter != 0 else { return found }
        let left = service.publicCertificateNotAfter.subtractingReportingOverflow(now).partialValue
        if left <= 0 {
            found.append(check("certificates", .failed, "\(name): what its public port serves has ended", "give it a new certificate"))
        } else if left < 7 * 86_400 {
            found.append(check("certificates", .warning, "\(name): what its public port serves ends in \(shown(seconds: left))", "renew it"))
        }
        return found
    }
}
