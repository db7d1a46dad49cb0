// The network of use case 3: a client outside, a load balancer, and a unit behind a node port and its public port.

import Support
import Testing

/// A client outside, HAProxy on the balancer, a server on node 2. The balancer's port 443 sends no PROXY header, 444 one of
/// version 1, 445 one of version 2; each leads to 10.1.0.2:31595 or [fd00:1::2]:31595, and these to the server's 8003.
struct PublicScene {
    let node2, balancer, outside: NetworkNode
    let server: NetworkContainer
    let sallyport: Sallyport
    let enforcer: Enforcer
    let directory: TemporaryDirectory
    /// What clients must trust, by mode.
    var bundle: String { "\(directory.path)/bundle.pem" }

    init(settings: String = "") throws {
        let network = try Network()
        node2 = try network.node("node2", "10.1.0.2/24", "fd00:1::2/64")
        balancer = try network.node("balancer", "10.1.0.9/24", "fd00:1::9/64")
        outside = try network.node("outside", "10.1.0.50/24", "fd00:1::50/64")
        server = try node2.container("server", "10.244.2.10/24", "fd00:244:2::10/64")
        try node2.clusterIP("10.1.0.2", port: 31595, to: "10.244.2.10:8003")
        try node2.clusterIP("fd00:1::2", port: 31595, to: "[fd00:244:2::10]:8003")
        let sections = [(443, ""), (444, "send-proxy"), (445, "send-proxy-v2")].map { port, option in
            """
            frontend in\(port)
              bind :::\(port) v4v6
              use_backend six\(port) if { src fd00::/8 }
              default_backend four\(port)
            backend four\(port)
              server node2 10.1.0.2:31595 \(option)
            backend six\(port)
              server node2 [fd00:1::2]:31595 \(option)
            """
        }
        try balancer.haproxy(port: 445, sections.joined(separator: "\n"))
        directory = try TemporaryDirectory(in: "/run")
        sallyport = try Sallyport()
        try sallyport.unit("server", server, tags: "app=web")
        try sallyport.policy("outside", """
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: outside, namespace: /test}
            spec: {entries: [10.1.0.50/32, "fd00:1::50/128"], tags: [net=outside]}
            ---
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: balancer, namespace: /test}
            spec: {entries: [10.1.0.9/32, "fd00:1::9/128"], tags: [net=balancer]}
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: web, namespace: /test}
            spec:
              subject: [["app=web"]]
              incoming:
                - {name: public, action: Allow, object: [["net=outside"], ["net=balancer"]], ports: [tcp/443]}
            """)
        enforcer = try sallyport.enforcer(on: node2, settings: settings)
        try directory.write("bundle.pem", sallyport.command("ca", "bundle", "--directory", sallyport.authority))
    }

    /// - Parameters:
    ///   - tls: The service's `tls`, at the depth of `spec`.
    ///   - target: More of its target.
    func service(_ tls: String, target: String = "", header: String = "optional") throws {
        try sallyport.policy("service", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: web, namespace: /test}
            spec:
              loadBalancer:
                addresses: [10.1.0.9, "fd00:1::9"]
                port: 443
                proxyProtocol: {enabled: true, subnets: [10.1.0.9/32, "fd00:1::9/128"], header: \(header)}
              target: {selector: [["app=web"]], port: 443\(target)}
              publicPort: 8003
              tls: \(tls)
            """)
    }

    /// Lets in whom an external network has by a name or wildcard, and nobody else.
    func lets(in name: String) throws {
        try sallyport.policy("outside", """
            apiVersion: sallyport.dev/v1
            kind: ExternalNetwork
            metadata: {name: partner, namespace: /test}
            spec: {entries: ["\(name)"], tags: [net=partner]}
            ---
            apiVersion: sallyport.dev/v1
            kind: NetworkRuleset
            metadata: {name: web, namespace: /test}
            spec: {subject: [["app=web"]], incoming: [{name: public, action: Allow, object: [["net=partner"]], ports: [tcp/443]}]}
            """)
    }

    func curl(_ url: String, _ options: String...) throws -> ProgramResult {
        try outside.run("curl", "-sS", "--globoff", "--max-time", "10", arguments: options + [url])
    }

    func openssl(_ options: String..., input: String = "") throws -> ProgramResult {
        try outside.run("timeout", "20", "openssl", "s_client", "-connect", "10.1.0.9:443", arguments: options, input: input)
    }

    func eventually(_ what: String, _ condition: () throws -> Bool) throws {
        do {
            try Support.eventually(what, condition)
        } catch {
            throw NetworkError(what: "\(error)\nnode2:\n\(enforcer.log)")
        }
    }

    /// What the balancer's three ports tell of the client.
    static let ways: [(port: Int, version: Int?)] = [(443, nil), (444, 1), (445, 2)]

    /// Expects that each way, over either family, is answered and recorded.
    func served(_ scheme: String, encrypted: String, trusting bundle: String, name: String? = nil) throws {
        let options = ["--cacert", bundle]
        for (host, address, balancer) in [("10.1.0.9", "10.1.0.50", "10.1.0.9"), ("[fd00:1::9]", "fd00:1::50", "fd00:1::9")] {
            for (port, version) in PublicScene.ways {
                let url = "\(scheme)://\(name ?? host):\(port)/"
                let resolved = name.map { ["--resolve", "\($0):\(port):\(host)"] } ?? []
                func call() throws -> ProgramResult {
                    try outside.run("curl", "-sS", "--globoff", "--max-time", "10", arguments: options + resolved + [url])
                }
                try eventually("served at \(url)") { try call().output == "the secret of a server" }
                let flow = try enforcer.flow {
                    $0.verdict == "accepted" && $0.encrypted == encrypted && $0.proxyProtocolVersion == version
                        && $0.sourceAddress == (version == nil ? balancer : address)
                }
                #expect(flow.service == "/test/web" && flow.destination.name == "server" && flow.targetPort == 443)
                #expect(flow.source.type == "external-network" && flow.source.name == (version == nil ? "balancer" : "outside"))
                #expect(flow.tcpPeerAddress == balancer && flow.decidedBy?.rule == "public")
            }
        }
    }
}
