// TCPService: where clients dial, and which processing units answer.

import SallyportProtocol

extension Form where Value == TCPService {
    static var tcpService: Form {
        .mapping(
            [
                Field("loadBalancer", \.loadBalancer, .loadBalancer, .required),
                Field("target", \.target, .target, .required),
                Field("publicPort", \.publicPort, .port),
                Field("tls", \.tls, .publicTLS),
                Field("tags", \.tags, .tags, .optional("[]")),
                Field("propagate", \.propagate, .flag, .optional("false")),
                Field("disabled", \.disabled, .flag, .optional("false")),
            ], initial: TCPService())
    }
}

extension Form where Value == TCPService.LoadBalancer {
    fileprivate static var loadBalancer: Form {
        .mapping(
            [
                Field("hosts", \.hosts, .list(of: .text("a domain name"), "domain names"), .optional("[]")),
                Field("addresses", \.addresses, .addresses, .optional("[]")),
                Field("port", \.port, .port, .required),
                Field("adapter", \.adapter, .text("a load-balancer adapter's name"), .optional("static")),
                Field("tls", \.tls, .serverTLS),
                Field("proxyProtocol", \.proxyProtocol, .proxyProtocol, .optional("disabled")),
            ], initial: TCPService.LoadBalancer())
    }
}

extension Form where Value == TCPService.ProxyProtocol {
    fileprivate static var proxyProtocol: Form {
        .mapping(
            [
                Field("enabled", \.enabled, .flag, .optional("false")),
                Field("subnets", \.subnets, .list(of: .text("a CIDR"), "CIDRs"), .optional("[]")),
                Field("header", \.header, .word(["required": .required, "optional": .optional]), .optional("required")),
            ], initial: TCPService.ProxyProtocol())
    }
}

extension Form where Value == TCPService.Target {
    fileprivate static var target: Form {
        .mapping(
            [
                Field("selector", \.selector, .selector, .required),
                Field("port", \.port, .port, .required),
                Field("tlsOnly", \.tlsOnly, .flag, .optional("false")),
                Field("verify", \.verify, .serverTLS),
                Field("proxyProtocol", \.proxyProtocol, .word(["v1": .v1, "v2": .v2]), .optional("none")),
                Field("sourceAddress", \.sourceAddress, .word(["enforcer": .enforcer, "client": .client]), .optional("enforcer")),
            ], initial: TCPService.Target())
    }
}

extension Form where Value == TCPService.TLS {
    fileprivate static var publicTLS: Form {
        .mapping(
            [
                Field(
                    "mode", \.mode, .word(["InternalCA": .internalCa, "CustomCertificate": .customCertificate, "None": .none]),
                    .optional("InternalCA")),
                Field("certificate", \.certificate, .text("PEM certificates, or file:/PATH")),
                Field("key", \.key, .text("a PEM private key, or file:/PATH")),
                Field("applicationProtocols", \.applicationProtocols, .list(of: .text("an ALPN protocol name"), "ALPN protocol names"), .optional("[http/1.1]")),
                Field("clientAuthentication", \.clientAuthentication, .clientAuthentication),
            ], initial: TCPService.TLS())
    }
}

extension Form where Value == TCPService.TLS.ClientAuthentication {
    fileprivate static var clientAuthentication: Form {
        .mapping(
            [Field("caBundle", \.caBundle, .text("PEM certificates"), .required)],
            initial: TCPService.TLS.ClientAuthentication())
    }
}
