// Checks of TCP services.

import Linux
import SallyportProtocol

extension Checks {
    mutating func check(_ service: TCPService) {
        check(service.loadBalancer)
        check(service.target)
        tags(service.tags)
        if service.publicPort != 0 {
            port(service.publicPort, at: "spec.publicPort")
            if service.publicPort == service.target.port {
                fail("spec.publicPort", "must differ from target.port (\(service.target.port)): there the enforcer serves its peers, here everybody else")
            }
        }
        if service.hasTls {
            check(service.tls)
            if service.publicPort == 0 { fail("spec.tls", "is only for publicPort; give a publicPort, or remove tls") }
        }
    }

    private mutating func check(_ loadBalancer: TCPService.LoadBalancer) {
        let field = "spec.loadBalancer"
        if loadBalancer.hosts.isEmpty && loadBalancer.addresses.isEmpty {
            fail(field, "has neither hosts nor addresses; give at least one that clients dial")
        }
        each(loadBalancer.hosts, at: "\(field).hosts") { text throws(SyntaxProblem) in try parseDomainName(text) }
        each(loadBalancer.addresses, at: "\(field).addresses") { text throws(SyntaxProblem) in
            if (try? parseDomainName(text)) != nil { throw SyntaxProblem("\(quoted(text)) is a name; it belongs in hosts") }
            return try parseCIDR(text)
        }
        port(loadBalancer.port, at: "\(field).port")
        if !loadBalancer.adapter.isEmpty {
            attempt("\(field).adapter") { () throws(SyntaxProblem) in try checkName(loadBalancer.adapter) }
        }
        if loadBalancer.hasTls {
            server(loadBalancer.tls, at: "\(field).tls")
            if loadBalancer.tls.serverName.isEmpty && loadBalancer.hosts.isEmpty {
                fail("\(field).tls.serverName", "is needed where the load balancer has no hosts: give the name that its certificate must have")
            }
        }
        if loadBalancer.hasProxyProtocol {
            let subnets = loadBalancer.proxyProtocol.subnets
            each(subnets, at: "\(field).proxyProtocol.subnets") { text throws(SyntaxProblem) in try parseCIDR(text) }
            if loadBalancer.proxyProtocol.enabled && subnets.isEmpty {
                fail("\(field).proxyProtocol", "is enabled without subnets; list those that the load balancer connects from")
            }
        }
    }

    private mutating func check(_ target: TCPService.Target) {
        selector(target.selector, at: "spec.target.selector")
        port(target.port, at: "spec.target.port")
        if target.hasVerify {
            server(target.verify, at: "spec.target.verify")
            if !target.tlsOnly { fail("spec.target.verify", "is without effect unless tlsOnly is true; set that, or remove verify") }
        }
    }

    private mutating func check(_ tls: TCPService.TLS) {
        if tls.hasClientAuthentication {
            attempt("spec.tls.clientAuthentication.caBundle") { () throws(SyntaxProblem) in
                try checkCertificates(tls.clientAuthentication.caBundle)
            }
        }
        applicationProtocols(tls.applicationProtocols)
        switch tls.mode {
        case .customCertificate:
            material(tls.certificate, at: "spec.tls.certificate", checkCertificates)
            material(tls.key, at: "spec.tls.key", checkPrivateKey)
        case .internalCa, .none:
            let mode = tls.mode == .none ? "None" : "InternalCA"
            let advice = "is not used with mode \(mode); make the mode CustomCertificate, or remove it"
            if !tls.certificate.isEmpty { fail("spec.tls.certificate", advice) }
            if !tls.key.isEmpty { fail("spec.tls.key", advice) }
            if tls.mode == .none {
                let advice = "is not possible with mode None, where the enforcer ends no TLS; choose another mode, or remove it"
                if tls.hasClientAuthentication { fail("spec.tls.clientAuthentication", advice) }
                if !tls.applicationProtocols.isEmpty { fail("spec.tls.applicationProtocols", advice) }
            }
        case .UNRECOGNIZED: fail("spec.tls.mode", "must be InternalCA, CustomCertificate or None")
        }
    }

    /// Names as IANA's registry of ALPN protocol IDs has them; RFC 7301, 3.1, bounds each and all of them together.
    private mutating func applicationProtocols(_ names: [String]) {
        each(names, at: "spec.tls.applicationProtocols") { name throws(SyntaxProblem) in
            if !(1...255).contains(name.utf8.count) { throw SyntaxProblem("\(quoted(name)) must have 1 to 255 bytes, such as h2 or http/1.1") }
            return name
        }
        if names.count > 16 { fail("spec.tls.applicationProtocols", "has \(names.count) names; 16 at most") }
    }

    /// PEM, or `file:` with an absolute path, which the TLS provider reads.
    private mutating func material(_ text: String, at field: String, _ check: (String) throws(SyntaxProblem) -> Void) {
        attempt(field) { () throws(SyntaxProblem) in
            if text.isEmpty { throw SyntaxProblem("is missing; mode CustomCertificate needs a certificate and its key") }
            guard text.hasPrefix("file:") else { return try check(text) }
            guard text.hasPrefix("file:/"), !text.utf8.contains(0), !text.contains(where: \.isNewline) else {
                throw SyntaxProblem("\(quoted(text)) must be file: and an absolute path, such as file:/etc/sallyport/tls/web.pem")
            }
        }
    }
}
