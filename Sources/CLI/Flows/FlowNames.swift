// The ends and the service of a flow, as short as they stay clear.

import SallyportProtocol

extension Sallyport_Flow_V1_Flow {
    var sourceName: String { name(of: source, address: sourceAddress) }

    /// What answered; before that is known, the service, or the address that was dialled.
    var destinationName: String {
        if destination.name.isEmpty && !service.isEmpty { return service }
        return name(of: destination, address: dialledAddress)
    }

    /// "web:9376→80": the service and its two ports; only ports where it is no service's.
    var serviceName: String {
        let short = service.split(separator: "/").last.map { printable(String($0)) } ?? ""
        if targetPort == 0 || targetPort == dialledPort { return "\(short):\(dialledPort)" }
        return "\(short):\(dialledPort)→\(targetPort)"
    }

    var isEncrypted: Bool { encrypted == .enforcer || encrypted == .application }

    private func name(of end: Sallyport_Flow_V1_Endpoint, address: String) -> String {
        if end.name.isEmpty { return address.isEmpty ? "?" : printable(address) }
        let name = printable(path(end.namespace, end.name))
        // An external network is many hosts.
        return end.type == .externalNetwork && !address.isEmpty ? "\(name)(\(printable(address)))" : name
    }
}

extension Sallyport_Flow_V1_DecidedBy {
    /// "/demo/web#allow"; for a default action "default of /demo".
    var line: String {
        printable(ruleset.isEmpty ? "default of \(namespace)" : "\(path(namespace, ruleset))#\(rule)")
    }
}
