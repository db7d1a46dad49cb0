// Short names for the generated messages, and the words documents use for their kinds.

public import SallyportProtocol

typealias PolicyObject = Sallyport_Policy_V1_Object
typealias ObjectKey = Sallyport_Policy_V1_ObjectKey
typealias Kind = Sallyport_Policy_V1_Kind
typealias Selector = Sallyport_Policy_V1_Selector
typealias Namespace = Sallyport_Policy_V1_Namespace
typealias ProcessingUnit = Sallyport_Policy_V1_ProcessingUnit
typealias TCPService = Sallyport_Policy_V1_TCPService
typealias ServiceDependencyPolicy = Sallyport_Policy_V1_ServiceDependencyPolicy
typealias NetworkRuleset = Sallyport_Policy_V1_NetworkRuleset
typealias ExternalNetwork = Sallyport_Policy_V1_ExternalNetwork

extension Sallyport_Policy_V1_Kind {
    /// The `kind` of a document: "TCPService".
    public var documentName: String {
        switch self {
        case .namespace: "Namespace"
        case .processingUnit: "ProcessingUnit"
        case .tcpService: "TCPService"
        case .serviceDependencyPolicy: "ServiceDependencyPolicy"
        case .networkRuleset: "NetworkRuleset"
        case .externalNetwork: "ExternalNetwork"
        case .unspecified, .UNRECOGNIZED: "document of no known kind"
        }
    }
}

extension Sallyport_Policy_V1_ObjectKey {
    /// "TCPService /acme/shop/web", for messages.
    public var summary: String {
        let path = namespace.isEmpty || namespace == "/" ? namespace : namespace + "/"
        return "\(kind.documentName) \(path)\(name)"
    }
}
