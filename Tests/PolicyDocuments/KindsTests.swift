// Every kind of document with every field becomes the message it describes.

import PolicyDocuments
import SallyportProtocol
import Testing

@Suite struct KindsTests {
    @Test("a TCPService with every field becomes the message, field by field")
    func tcpService() throws {
        let pem = certificate.split(separator: "\n").map { "      \($0)" }.joined(separator: "\n")
        let text = """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata:
              name: web
              namespace: /acme/shop
            spec:
              loadBalancer:
                hosts: [web.example.com, LB.example.com.]
                addresses: [10.96.0.10, 2001:db8::/64]
                port: 9376
                adapter: aws
                tls: {serverName: web.example.com}
                proxyProtocol: {enabled: true, subnets: [10.0.0.0/8]}
              target:
                selector: [["$identity=processingunit", app=web], [app=cron, "@os:hostname=n1"]]
                port: 80
                tlsOnly: true
                verify:
                  serverName: inner.example.com
                  caBundle: |
            \(pem.split(separator: "\n").map { "        " + $0 }.joined(separator: "\n"))
              publicPort: 443
              tls: {mode: CustomCertificate, certificate: "file:/etc/tls/web.pem", key: "file:/etc/tls/web.key"}
              tags: [tier=front]
              propagate: true
              disabled: true
            """
        let file = decodeDocuments(text, file: "web.yaml")
        #expect(file.problems.map(\.description) == [])
        let object = try #require(file.objects.first)
        #expect(object.key == .with { $0.kind = .tcpService; $0.namespace = "/acme/shop"; $0.name = "web" })
        #expect(object.origin == "web.yaml:1")
        let spec = object.tcpService
        #expect(spec.loadBalancer.hosts == ["web.example.com", "LB.example.com."])
        #expect(spec.loadBalancer.addresses == ["10.96.0.10", "2001:db8::/64"])
        #expect(spec.loadBalancer.port == 9376)
        #expect(spec.loadBalancer.adapter == "aws")
        #expect(spec.loadBalancer.tls.serverName == "web.example.com")
        #expect(spec.loadBalancer.proxyProtocol.enabled && spec.loadBalancer.proxyProtocol.subnets == ["10.0.0.0/8"])
        #expect(spec.target.selector.anyOf.map(\.allOf) == [["$identity=processingunit", "app=web"], ["app=cron", "@os:hostname=n1"]])
        #expect(spec.target.port == 80 && spec.target.tlsOnly)
        #expect(spec.target.verify.serverName == "inner.example.com" && spec.target.verify.caBundle == certificate.trimmedEnd + "\n")
        #expect(spec.publicPort == 443)
        #expect(spec.tls.mode == .customCertificate && spec.tls.certificate == "file:/etc/tls/web.pem" && spec.tls.key == "file:/etc/tls/web.key")
        #expect(spec.tags == ["tier=front"] && spec.propagate && spec.disabled)
    }

    @Test("what a TCPService leaves out has the default of the reference")
    func tcpServiceDefaults() throws {
        let spec = try #require(decodeDocuments(service(), file: "x").objects.first).tcpService
        #expect(spec.loadBalancer.hosts.isEmpty && spec.loadBalancer.adapter.isEmpty && !spec.loadBalancer.hasTls)
        #expect(!spec.loadBalancer.proxyProtocol.enabled && !spec.target.tlsOnly && !spec.target.hasVerify)
        #expect(spec.publicPort == 0 && !spec.hasTls && spec.tags.isEmpty && !spec.propagate && !spec.disabled)
    }

    @Test("a Namespace with every field, the root, and one without a spec")
    func namespaces() throws {
        let text =
            document(
                "Namespace", "shop", namespace: "/acme",
                spec: """
                    defaultAction: {incoming: Allow, outgoing: Reject}
                    tags: [owner=Jane Doe]
                    serviceDependencyDefault: Disabled
                    onPolicyChange: Drain
                    failureMode: Open
                    """)
            + "---\n" + document("Namespace", "/", namespace: nil, spec: "defaultAction: {outgoing: Allow}")
            + "---\n" + "apiVersion: sallyport.dev/v1\nkind: Namespace\nmetadata: {name: acme, namespace: /}\n"
        let file = decodeDocuments(text, file: "x")
        #expect(file.problems.map(\.description) == [])
        try #require(file.objects.count == 3)
        let shop = file.objects[0].namespace
        #expect(shop.defaultAction.incoming == .allow && shop.defaultAction.outgoing == .reject)
        #expect(shop.tags == ["owner=Jane Doe"] && shop.serviceDependencyDefault == .disabled)
        #expect(shop.onPolicyChange == .drain && shop.failureMode == .open)
        #expect(file.objects[1].key == .with { $0.kind = .namespace; $0.name = "/" })
        #expect(file.objects[1].namespace.defaultAction.incoming == .inherit)
        #expect(file.objects[2].spec == .namespace(.init()))
    }

    @Test("each type of ProcessingUnit, with its network namespace as a path or a process id")
    func processingUnits() throws {
        let text = [
            document(
                "ProcessingUnit", "a",
                spec: "type: Container\ntags: [app=web]\nnetworkNamespace: /run/netns/a\naddresses: [10.1.0.1, 'fd00::1']\nnode: n-1"),
            document("ProcessingUnit", "b", spec: "type: Container\nnetworkNamespace: 4711"),
            document("ProcessingUnit", "c", spec: "type: HostService\ncgroup: system.slice/nginx.service"),
            document("ProcessingUnit", "d", spec: "type: Host"),
        ].joined(separator: "---\n")
        let file = decodeDocuments(text, file: "x")
        #expect(file.problems.map(\.description) == [])
        let units = file.objects.map(\.processingUnit)
        try #require(units.count == 4)
        #expect(units[0].networkNamespace == .networkNamespacePath("/run/netns/a"))
        #expect(units[0].addresses == ["10.1.0.1", "fd00::1"] && units[0].node == "n-1" && units[0].tags == ["app=web"])
        #expect(units[1].networkNamespace == .networkNamespacePid(4711))
        #expect(units[2].type == .hostService && units[2].cgroup == "system.slice/nginx.service")
        #expect(units[3].type == .host && units[3].networkNamespace == nil)
    }

    @Test("a NetworkRuleset, a ServiceDependencyPolicy and an ExternalNetwork with every field")
    func policies() throws {
        let text = [
            document(
                "NetworkRuleset",
                spec: """
                    subject: [[app=web]]
                    incoming:
                    - action: Allow
                      object: [[app=client], ["@app:k8s:namespace=x", "$name!=y", tier=*, old!=*, zone=eu-*]]
                      ports: [tcp/80, tcp/8000:8080, udp/53]
                      logs: false
                      observe: true
                      name: clients
                    outgoing:
                    - {action: Reject, object: [["$identity=processingunit"]], ports: [any]}
                    propagate: true
                    fallback: true
                    disabled: true
                    """),
            document(
                "ServiceDependencyPolicy",
                spec: "subject: [[app=client]]\nobject: [[\"$name=web\"]]\npropagate: true\nfallback: true\ndisabled: true"),
            document(
                "ExternalNetwork",
                spec: "entries: [10.0.0.0/8, '!10.1.0.0/16', '2001:db8::1', www.example.com, '*.example.org']\ntags: [kind=office]\npropagate: true"),
        ].joined(separator: "---\n")
        let file = decodeDocuments(text, file: "x")
        #expect(file.problems.map(\.description) == [])
        try #require(file.objects.count == 3)
        let ruleset = file.objects[0].networkRuleset
        #expect(ruleset.subject.anyOf.map(\.allOf) == [["app=web"]])
        #expect(ruleset.incoming[0].action == .allow && ruleset.outgoing[0].action == .reject)
        #expect(ruleset.incoming[0].object.anyOf.count == 2 && ruleset.incoming[0].ports == ["tcp/80", "tcp/8000:8080", "udp/53"])
        #expect(ruleset.incoming[0].silent && ruleset.incoming[0].observe && ruleset.incoming[0].name == "clients")
        #expect(!ruleset.outgoing[0].silent && !ruleset.outgoing[0].observe && ruleset.outgoing[0].ports == ["any"])
        #expect(ruleset.propagate && ruleset.fallback && ruleset.disabled)
        let dependency = file.objects[1].serviceDependencyPolicy
        #expect(dependency.subject.anyOf[0].allOf == ["app=client"] && dependency.object.anyOf[0].allOf == ["$name=web"])
        #expect(dependency.propagate && dependency.fallback && dependency.disabled)
        let network = file.objects[2].externalNetwork
        #expect(network.entries.count == 5 && network.tags == ["kind=office"] && network.propagate)
    }
}

extension String {
    fileprivate var trimmedEnd: String { hasSuffix("\n") ? String(dropLast()) : self }
}
