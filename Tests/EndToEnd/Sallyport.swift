// The programs as they were built, set up for one test: an authority, a policy, and an enforcer on each node.
//
//     let sallyport = try Sallyport()
//     try sallyport.unit("client", client, tags: "app=client")
//     try sallyport.policy("rules", "…YAML…")
//     let enforcer1 = try sallyport.enforcer(on: node1)
//     let enforcer2 = try sallyport.enforcer(on: node2)
//     try client.run("curl", "http://10.96.0.10:9376/")
//     let flow = try enforcer1.flow { $0.source.name == "client" }

import Linux
import Support

/// An authority and a policy, shared by the enforcers of a test. All its units are in /test.
public final class Sallyport {
    public static let namespace = "/test"

    /// Where `swift build -c release` leaves the programs; SALLYPORT_BUILT says otherwise.
    static let built: String = {
        if let set = getenv("SALLYPORT_BUILT") { return String(cString: set) }
        return ".build/release"
    }()

    /// Whether the programs are there and may make namespaces.
    public static var isPossible: Bool {
        Network.isPossible && ["sallyportd", "sallyport", "sallyport-plugin-runner"].allSatisfy { access("\(built)/\($0)", X_OK) == 0 }
    }

    let directory: TemporaryDirectory
    var authority: String { directory.path + "/authority" }
    var policyDirectory: String { directory.path + "/policy.d" }
    var pluginDirectory: String { directory.path + "/plugins" }

    public init() throws {
        // Plugins are loaded only from where nobody else may write, all the way up: not from /tmp.
        directory = try TemporaryDirectory(in: "/run")
        try check("mkdir", "-m", "0755", policyDirectory, pluginDirectory)
        for plugin in ["policy-file", "tls-internal-ca", "tls-custom-certificate", "tls-none", "load-balancer-static", "load-balancer-haproxy"] {
            try check("install", "-m", "0755", "\(Sallyport.built)/lib\(plugin).so", "\(pluginDirectory)/\(plugin).so")
        }
        try command("ca", "init", "--directory", authority, "--trust-domain", "test.example")
        try policy("namespace", """
            apiVersion: sallyport.dev/v1
            kind: Namespace
            metadata: {name: test, namespace: /}
            spec: {defaultAction: {incoming: Reject, outgoing: Reject}}
            """)
    }

    /// Puts a policy file in the place of the one of that name, or adds it.
    public func policy(_ name: String, _ documents: String) throws {
        try directory.write("policy.d/.\(name).new", documents)
        try syscall("rename", name) { rename("\(policyDirectory)/.\(name).new", "\(policyDirectory)/\(name).yaml") }
    }

    public func removePolicy(_ name: String) throws {
        try syscall("unlink", name) { unlink("\(policyDirectory)/\(name).yaml") }
    }

    /// Makes a container a processing unit of its node's enforcer.
    public func unit(_ name: String, _ container: NetworkContainer, tags: String...) throws {
        let addresses = container.addresses.map { "\"\($0.prefix { $0 != "/" })\"" }.joined(separator: ", ")
        try policy("unit-\(name)", """
            apiVersion: sallyport.dev/v1
            kind: ProcessingUnit
            metadata: {name: \(name), namespace: \(Sallyport.namespace)}
            spec:
              type: Container
              node: \(container.node.name)
              networkNamespace: \(container.namespacePath)
              addresses: [\(addresses)]
              tags: [\(tags.joined(separator: ", "))]
            """)
    }

    /// Lets the units that have `client` dial those that have `server` on `port`: outgoing for the ones, incoming for the others.
    public func allow(_ client: String, toReach server: String, port: UInt16) throws {
        let name = permission(client, server, port)
        try policy(name, """
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: out-\(name), namespace: \(Sallyport.namespace)}
            spec:
              subject: [["\(client)"]]
              outgoing: [{name: out, action: Allow, object: [["\(server)"]], ports: [tcp/\(port)]}]
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: in-\(name), namespace: \(Sallyport.namespace)}
            spec:
              subject: [["\(server)"]]
              incoming: [{name: in, action: Allow, object: [["\(client)"]], ports: [tcp/\(port)]}]
            """)
    }

    /// Takes back what `allow` gave.
    public func forbid(_ client: String, toReach server: String, port: UInt16) throws {
        try removePolicy(permission(client, server, port))
    }

    private func permission(_ client: String, _ server: String, _ port: UInt16) -> String {
        "\(client)-\(server)-\(port)".replacing("=", with: "-")
    }

    /// Makes a service of the units that have `target`.
    public func service(_ name: String, addresses: String..., port: UInt16, target: String, targetPort: UInt16) throws {
        try policy("service-\(name)", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: \(name), namespace: \(Sallyport.namespace)}
            spec:
              loadBalancer: {addresses: [\(addresses.map { "\"\($0)\"" }.joined(separator: ", "))], port: \(port)}
              target: {selector: [["\(target)"]], port: \(targetPort)}
            """)
    }

    /// Sets an enforcer up on a node, starts it and waits until it is ready.
    /// - Parameter settings: Lines of its sallyportd.yaml besides those that every enforcer of a test has.
    public func enforcer(on node: NetworkNode, settings: String = "", isStarted: Bool = true) throws -> Enforcer {
        try command("ca", "enforcer", node.name, "--directory", authority, "--namespace", Sallyport.namespace)
        let enforcer = try Enforcer(node: node, of: self, settings: settings)
        if isStarted { try enforcer.start() }
        return enforcer
    }

    /// Installs a copy of a plugin under another name, and does something to the file.
    func plugin(_ name: String, _ change: (String) -> Int32) throws {
        let path = "\(pluginDirectory)/\(name).so"
        try check("install", "-m", "0755", "\(pluginDirectory)/load-balancer-static.so", path)
        try syscall("change", path) { change(path) }
    }

    /// An authority below this one's root, in the test's hands: it can forge what no daemon would issue.
    func testAuthority() throws -> TestAuthority { try TestAuthority(folder: authority, trustDomain: "test.example") }

    func dropIns(for node: NetworkNode) -> [String: String] {
        [
            "10-policy.yaml": dropIn("policy-file", "policy-source", "directory: \(policyDirectory)"),
            "20-tls.yaml": dropIn("tls-internal-ca", "tls-provider", "directory: \(authority)/enforcers/\(node.name)"),
            "22-tls-custom.yaml": dropIn("tls-custom-certificate", "public-tls", ""),
            "24-tls-none.yaml": dropIn("tls-none", "public-tls", ""),
            "30-load-balancer.yaml": dropIn("load-balancer-static", "load-balancer-adapter", ""),
        ]
    }

    func dropIn(_ plugin: String, _ kind: String, _ config: String) -> String {
        "version: 1\nplugin: \(plugin)\nkind: \(kind)\nisolation: process\nrequired: true\nconfig: {\(config)}\n"
    }

    /// Runs `sallyport`, which must succeed.
    @discardableResult
    public func command(_ arguments: String...) throws -> String {
        let result = try NetworkProgram.run("\(Sallyport.built)/sallyport", arguments, in: nil)
        if result.status != 0 { throw NetworkError(what: "sallyport \(arguments.joined(separator: " ")): \(result.errors)\(result.output)") }
        return result.output
    }

    @discardableResult
    func check(_ program: String, _ arguments: String...) throws -> String {
        let result = try NetworkProgram.run(program, arguments, in: nil)
        if result.status != 0 { throw NetworkError(what: "\(program) \(arguments.joined(separator: " ")): \(result.errors)") }
        return result.output
    }
}
