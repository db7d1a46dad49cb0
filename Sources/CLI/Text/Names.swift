// Names as an operator writes them.

import SallyportProtocol

/// "/acme/shop" and "web" give "/acme/shop/web"; the root namespace gives "/web".
func path(_ namespace: String, _ name: String) -> String {
    namespace.isEmpty ? name : namespace == "/" ? "/\(name)" : "\(namespace)/\(name)"
}

extension Sallyport_Policy_V1_Kind {
    /// As documents write it.
    var word: String {
        switch self {
        case .namespace: "Namespace"
        case .processingUnit: "ProcessingUnit"
        case .tcpService: "TCPService"
        case .serviceDependencyPolicy: "ServiceDependencyPolicy"
        case .networkRuleset: "NetworkRuleset"
        case .externalNetwork: "ExternalNetwork"
        case .unspecified, .UNRECOGNIZED: "document"
        }
    }
}

extension Sallyport_Policy_V1_Problem {
    /// "web.yaml:12:7: spec.loadBalancer.port: must be 1 to 65535".
    var line: String {
        let place = origin.isEmpty ? "\(key.kind.word) \(path(key.namespace, key.name))" : origin
        return field.isEmpty ? "\(place): \(message)" : "\(place): \(field): \(message)"
    }
}
