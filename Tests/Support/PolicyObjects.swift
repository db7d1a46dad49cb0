// Short ways to write policy in tests: objects by path, "/acme/web" being "web" of namespace "/acme".

import SallyportProtocol

public typealias PolicyObject = Sallyport_Policy_V1_Object
public typealias PolicyKey = Sallyport_Policy_V1_ObjectKey
public typealias PolicyRule = Sallyport_Policy_V1_NetworkRuleset.Rule

extension PolicyKey {
    public init(_ kind: Sallyport_Policy_V1_Kind, _ path: String) {
        self.init()
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        self.kind = kind
        namespace = slash == path.startIndex ? "/" : String(path[..<slash])
        name = String(path[path.index(after: slash)...])
        if path == "/" {
            namespace = ""
            name = "/"
        }
    }
}

extension Sallyport_Policy_V1_Selector {
    /// From `[["a=b", "c=*"], ["d=e"]]`.
    public init(_ clauses: [[String]]) {
        self.init()
        anyOf = clauses.map { clause in .with { $0.allOf = clause } }
    }
}

extension PolicyObject {
    private init(_ kind: Sallyport_Policy_V1_Kind, _ path: String, _ spec: OneOf_Spec) {
        self.init()
        key = PolicyKey(kind, path)
        origin = "test.yaml:1"
        self.spec = spec
    }

    public static func namespace(
        _ path: String, incoming: Sallyport_Policy_V1_InheritableAction = .inherit,
        outgoing: Sallyport_Policy_V1_InheritableAction = .inherit, tags: [String] = [],
        services: Sallyport_Policy_V1_Toggle = .inherit, onPolicyChange: Sallyport_Policy_V1_OnPolicyChange = .inherit,
        failureMode: Sallyport_Policy_V1_FailureMode = .inherit
    ) -> PolicyObject {
        PolicyObject(
            .namespace, path,
            .namespace(
                .with {
                    $0.defaultAction = .with {
                        $0.incoming = incoming
                        $0.outgoing = outgoing
                    }
                    $0.tags = tags
                    $0.serviceDependencyDefault = services
                    $0.onPolicyChange = onPolicyChange
                    $0.failureMode = failureMode
                }))
    }

    /// A Container in the network namespace /run/netns/NAME, or on another node if one is given.
    public static func unit(_ path: String, _ tags: [String] = [], at addresses: [String] = [], node: String = "") -> PolicyObject {
        var object = PolicyObject(.processingUnit, path, .processingUnit(.init()))
        object.processingUnit.type = .container
        object.processingUnit.tags = tags
        object.processingUnit.addresses = addresses
        object.processingUnit.node = node
        if node.isEmpty { object.processingUnit.networkNamespacePath = "/run/netns/\(object.key.name)" }
        return object
    }

    /// - Parameter frontends: Addresses and CIDRs.
    public static func service(
        _ path: String, at frontends: [String] = ["10.96.0.10"], port: UInt32 = 9376, target: [[String]], targetPort: UInt32 = 80,
        publicPort: UInt32 = 0, tags: [String] = [], tlsOnly: Bool = false, propagate: Bool = false, disabled: Bool = false
    ) -> PolicyObject {
        PolicyObject(
            .tcpService, path,
            .tcpService(
                .with {
                    $0.loadBalancer.addresses = frontends
                    $0.loadBalancer.port = port
                    $0.target.selector = .init(target)
                    $0.target.port = targetPort
                    $0.target.tlsOnly = tlsOnly
                    $0.publicPort = publicPort
                    $0.tags = tags
                    $0.propagate = propagate
                    $0.disabled = disabled
                }))
    }

    public static func dependency(
        _ path: String, subject: [[String]], object: [[String]], propagate: Bool = false, fallback: Bool = false,
        disabled: Bool = false
    ) -> PolicyObject {
        PolicyObject(
            .serviceDependencyPolicy, path,
            .serviceDependencyPolicy(
                .with {
                    $0.subject = .init(subject)
                    $0.object = .init(object)
                    $0.propagate = propagate
                    $0.fallback = fallback
                    $0.disabled = disabled
                }))
    }

    public static func ruleset(
        _ path: String, subject: [[String]] = [["$identity=processingunit"]], incoming: [PolicyRule] = [], outgoing: [PolicyRule] = [],
        propagate: Bool = false, fallback: Bool = false, disabled: Bool = false
    ) -> PolicyObject {
        PolicyObject(
            .networkRuleset, path,
            .networkRuleset(
                .with {
                    $0.subject = .init(subject)
                    $0.incoming = incoming
                    $0.outgoing = outgoing
                    $0.propagate = propagate
                    $0.fallback = fallback
                    $0.disabled = disabled
                }))
    }

    /// - Parameter entries: CIDRs, `!CIDR`s and names.
    public static func externalNetwork(
        _ path: String, _ entries: [String], tags: [String] = [], propagate: Bool = false
    ) -> PolicyObject {
        PolicyObject(
            .externalNetwork, path,
            .externalNetwork(
                .with {
                    $0.entries = entries
                    $0.tags = tags
                    $0.propagate = propagate
                }))
    }
}

extension PolicyRule {
    private init(
        _ action: Sallyport_Policy_V1_Action, _ object: [[String]], _ ports: [String], _ observe: Bool, _ silent: Bool, _ name: String
    ) {
        self.init()
        self.action = action
        self.object = .init(object)
        self.ports = ports
        self.observe = observe
        self.silent = silent
        self.name = name
    }

    /// - Parameter silent: The document's `logs: false`.
    public static func allow(
        _ object: [[String]], _ ports: [String] = ["any"], observe: Bool = false, silent: Bool = false, name: String = ""
    ) -> PolicyRule { PolicyRule(.allow, object, ports, observe, silent, name) }

    public static func reject(
        _ object: [[String]], _ ports: [String] = ["any"], observe: Bool = false, silent: Bool = false, name: String = ""
    ) -> PolicyRule { PolicyRule(.reject, object, ports, observe, silent, name) }
}
