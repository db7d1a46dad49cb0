// The rules between fields, and of what fields hold.

import PolicyDocuments
import SallyportProtocol
import Testing

@Suite struct RulesTests {
    @Test("a service without hosts and addresses has nothing that clients dial")
    func nothingToDial() {
        #expect(problem(service().replacing("    addresses: [10.96.0.10]\n", with: ""))
            == "6:5: spec.loadBalancer: has neither hosts nor addresses; give at least one that clients dial")
    }

    @Test("what a load balancer's hosts and addresses cannot be", arguments: [
        ("hosts: ['*.example.com']", "\"*.example.com\" has a wildcard; write a whole name such as web.example.com"),
        ("hosts: [10.0.0.1]", "\"10.0.0.1\" is an address, not a domain name"),
        ("hosts: [300.1.1.1]", "\"300.1.1.1\" is neither an address nor a domain name"),
        ("hosts: [a..b]", "\"a..b\" has an empty part; write each dot once"),
        ("hosts: ['web example.com']", "\"web example\" in \"web example.com\" is no part of a domain name; use letters, digits and hyphens"),
        ("hosts: [-web.example.com]", "\"-web\" in \"-web.example.com\" is no part of a domain name; use letters, digits and hyphens"),
        ("hosts: [bücher.example]", "\"bücher.example\" has letters that DNS does not carry; write it in its xn-- form"),
        ("hosts: [web.example.com, WEB.example.com.]", "\"WEB.example.com.\" is already there as spec.loadBalancer.hosts[0]; remove one"),
    ])
    func hosts(line: String, expected: String) {
        #expect(problem(service(loadBalancer: line)).hasSuffix(": \(expected)"))
    }

    @Test("an address list takes no names, no bits past a prefix, and nothing twice", arguments: [
        ("web.example.com", "\"web.example.com\" is a name; it belongs in hosts"),
        ("10.0.0.1/8", "\"10.0.0.1/8\" has bits set past its prefix; write 10.0.0.0/8, or 10.0.0.1 for the one address"),
        ("10.0.0.0/33", "\"10.0.0.0/33\" has no prefix length from 0 to 32 after its /"),
        ("'2001:db8::/129'", "\"2001:db8::/129\" has no prefix length from 0 to 128 after its /"),
        ("10.0.0.256", "\"10.0.0.256\" is no address or CIDR; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"),
        ("\"10.0.0.1\\0.5\"", "\"10.0.0.1\\0.5\" is no address or CIDR; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"),
        ("10.96.0.10/32", "\"10.96.0.10/32\" is already there as spec.loadBalancer.addresses[0]; remove one"),
    ])
    func addresses(address: String, expected: String) {
        #expect(problem(service().replacing("[10.96.0.10]", with: "[10.96.0.10, \(address)]"))
            == "6:29: spec.loadBalancer.addresses[1]: \(expected)")
    }

    @Test("PROXY protocol needs subnets when it is enabled, and takes CIDRs alone")
    func proxyProtocol() {
        #expect(problem(service(loadBalancer: "proxyProtocol: {enabled: true}"))
            == "8:20: spec.loadBalancer.proxyProtocol: is enabled without subnets; list those that the load balancer connects from")
        #expect(problems(service(loadBalancer: "proxyProtocol: {enabled: false}")) == [])
        #expect(problem(service(loadBalancer: "proxyProtocol: {enabled: true, subnets: [lb]}")).contains("subnets[0]: \"lb\" is no address or CIDR"))
    }

    @Test("the public port differs from the target's, and tls belongs to a public port")
    func publicPort() {
        #expect(problem(service(more: "publicPort: 80"))
            == "13:15: spec.publicPort: must differ from target.port (80): there the enforcer serves its peers, here everybody else")
        #expect(problem(service(more: "tls: {mode: None}")) == "13:8: spec.tls: is only for publicPort; give a publicPort, or remove tls")
        #expect(problems(service(more: "publicPort: 443\ntls: {mode: None}")) == [])
    }

    @Test("CustomCertificate needs certificate and key, and only it takes them")
    func customCertificate() {
        #expect(problems(service(more: "publicPort: 443\ntls: {mode: CustomCertificate, certificate: 'file:/a'}"))
            == ["14:8: spec.tls.key: is missing; mode CustomCertificate needs a certificate and its key"])
        #expect(problems(service(more: "publicPort: 443\ntls: {mode: CustomCertificate}")).count == 2)
        #expect(problem(service(more: "publicPort: 443\ntls: {certificate: 'file:/a'}"))
            == "14:22: spec.tls.certificate: is not used with mode InternalCA; make the mode CustomCertificate, or remove it")
        #expect(problem(service(more: "publicPort: 443\ntls: {mode: CustomCertificate, certificate: 'file:a', key: 'file:/b'}"))
            .contains("\"file:a\" must be file: and an absolute path"))
        #expect(problem(service(more: "publicPort: 443\ntls: {mode: None, clientAuthentication: {caBundle: x}}"))
            .contains("holds no PEM certificate"))
    }

    @Test("application protocols are names that TLS has room for, each once, and not with mode None")
    func applicationProtocols() {
        func tls(_ fields: String) -> String { service(more: "publicPort: 443\ntls: {\(fields)}") }
        #expect(problems(tls("applicationProtocols: [h2, http/1.1]")) == [])
        #expect(problem(tls("applicationProtocols: [h2, h2]")).contains("applicationProtocols[1]: \"h2\" is already there"))
        #expect(problem(tls("applicationProtocols: [\(String(repeating: "x", count: 256))]")).contains("must have 1 to 255 bytes"))
        #expect(problem(tls("applicationProtocols: [\((0..<17).map { "p\($0)" }.joined(separator: ", "))]")).contains("has 17 names; 16 at most"))
        #expect(problem(tls("mode: None, applicationProtocols: [h2]")).contains("is not possible with mode None"))
    }

    @Test("a unit sees its enforcer's address or its client's, and nothing else")
    func sourceAddress() {
        for word in ["enforcer", "client"] { #expect(problems(service(target: "sourceAddress: \(word)")) == []) }
        #expect(problem(service(target: "sourceAddress: proxy")).contains("spec.target.sourceAddress: must be"))
    }

    @Test("verify without tlsOnly contradicts itself")
    func verifyWithoutTLS() {
        #expect(problem(service(target: "verify: {serverName: a.example}"))
            == "12:13: spec.target.verify: is without effect unless tlsOnly is true; set that, or remove verify")
    }

    @Test("users set no derived tags and none of the system's", arguments: [
        ("$name=x", "\"$name=x\" begins with $, as only derived tags do; choose another key"),
        ("@org:a=b", "\"@org:a=b\" begins with @, as only tags set by the system do; choose another key"),
        ("app", "\"app\" is no tag; write key=value"),
        ("app=", "\"app=\" has no value; write key=value"),
        ("=web", "\"=web\" has no key; write key=value"),
        ("app=web*", "\"app=web*\" must not end with \"*\": in selectors that stands for any text"),
        ("a b=c", "\"a b=c\" has a space in its key; remove it"),
        ("app!=web", "\"app!=web\" is a tag that somebody carries, and its key must not end with \"!\""),
    ])
    func userTags(tag: String, expected: String) {
        #expect(problem(service(more: "tags: ['\(tag)']")) == "13:10: spec.tags[0]: \(expected)")
    }

    @Test("selectors take the five forms and nothing else", arguments: [
        ("app", "\"app\" selects nothing; write key=value, key!=value, key=*, key!=* or key=prefix*"),
        ("app=a*b", "\"app=a*b\" has a \"*\" inside its value; * stands only at its end"),
        ("app!=web*", "\"app!=web*\" is no form of selector; != takes a whole value, or * alone"),
        ("*=web", "\"*=web\" has a \"*\" in its key; * stands only at the end of a value"),
        ("=web", "\"=web\" has no key; write key=value"),
    ])
    func selectorElements(element: String, expected: String) {
        let text = document("ServiceDependencyPolicy", spec: "subject: [['\(element)']]\nobject: [[a=b]]")
        #expect(problem(text) == "5:14: spec.subject[0][0]: \(expected)")
    }

    @Test("a selector that selects nothing or contradicts itself is an error", arguments: [
        ("[]", "spec.subject: selects nothing; give at least one list of tags, such as [[app=web]]"),
        ("[[]]", "spec.subject[0]: is empty; give at least one tag, such as [app=web]"),
        ("[[app=web, app!=web]]", "spec.subject[0]: never matches: it asks for \"app=web\" and for its opposite"),
        ("[[app=web, app!=*]]", "spec.subject[0]: never matches: it asks that \"app\" is absent and that it is there"),
        ("[app=web]", "spec.subject[0]: must be a list of tags, as in [[app=web]], not \"app=web\""),
    ])
    func selectors(selector: String, expected: String) {
        #expect(problem(document("ServiceDependencyPolicy", spec: "subject: \(selector)\nobject: [[a=b]]")).hasSuffix(expected))
    }

    @Test("ports of rules", arguments: [
        ("tcp/0", "\"0\" in \"tcp/0\" is no port from 1 to 65535"),
        ("tcp/65536", "\"65536\" in \"tcp/65536\" is no port from 1 to 65535"),
        ("tcp/90:80", "\"tcp/90:80\" runs backwards; write tcp/80:90"),
        ("sctp/80", "\"sctp\" is neither tcp nor udp; write tcp/80, tcp/8000:8080, udp/53 or any"),
        ("tcp", "\"tcp\" is no port; write tcp/80, tcp/8000:8080, udp/53 or any"),
        ("tcp/1:2:3", "\"tcp/1:2:3\" is no port; write tcp/80, tcp/8000:8080, udp/53 or any"),
        ("tcp/", "\"\" in \"tcp/\" is no port from 1 to 65535"),
        ("TCP/80", "\"TCP\" is neither tcp nor udp; write tcp/80, tcp/8000:8080, udp/53 or any"),
    ])
    func rulePorts(port: String, expected: String) {
        let text = document("NetworkRuleset", spec: "subject: [[a=b]]\nincoming:\n- {action: Allow, object: [[a=b]], ports: ['\(port)']}")
        #expect(problem(text) == "7:46: spec.incoming[0].ports[0]: \(expected)")
    }

    @Test("two rules of one list cannot share a name")
    func ruleNames() {
        let rule = "- {action: Allow, object: [[a=b]], ports: [any], name: x}"
        #expect(problem(document("NetworkRuleset", spec: "subject: [[a=b]]\nincoming:\n\(rule)\n\(rule)"))
            == "8:58: spec.incoming[1].name: \"x\" is already the name of spec.incoming[0]; choose another")
        #expect(problems(document("NetworkRuleset", spec: "subject: [[a=b]]\nincoming:\n\(rule)\noutgoing:\n\(rule)")) == [])
    }

    @Test("an exclusion lies inside an included CIDR, and not over the whole of it", arguments: [
        ("[10.0.0.0/8, '!11.0.0.0/16']", "spec.entries[1]: \"!11.0.0.0/16\" lies in no CIDR of this network; remove it, or include one around it"),
        ("[10.0.0.0/8, '!10.0.0.0/8']", "spec.entries[1]: excludes all of 10.0.0.0/8, which is included; remove both"),
        ("['!10.0.0.0/8']", "spec.entries[0]: \"!10.0.0.0/8\" lies in no CIDR of this network; remove it, or include one around it"),
        ("[10.0.0.0/8, '!web.example.com']", "spec.entries[1]: \"!web.example.com\" excludes a name; only addresses and CIDRs can be excluded"),
        ("['a.*.example.com']", "spec.entries[0]: \"a.*.example.com\" has a wildcard inside; * stands only for the first part, as in *.example.com"),
        ("[]", "spec.entries: is empty; give at least one CIDR or domain name"),
    ])
    func externalEntries(entries: String, expected: String) {
        #expect(problem(document("ExternalNetwork", spec: "entries: \(entries)")).hasSuffix(expected))
    }

    @Test("each type of processing unit has its own place and no other's", arguments: [
        ("type: Host\nnetworkNamespace: /run/netns/a", "spec.networkNamespace: only a Container has one; remove it, or make the type Container"),
        ("type: HostService", "spec.cgroup: is missing; a HostService is a cgroup, such as system.slice/nginx.service"),
        ("type: Container\ncgroup: a", "spec.cgroup: only a HostService has one; remove it, or make the type HostService"),
        ("type: HostService\ncgroup: ../a", "spec.cgroup: \"../a\" must be a path below the cgroup mount, such as system.slice/nginx.service"),
        ("type: HostService\ncgroup: /a", "spec.cgroup: \"/a\" must be a path below the cgroup mount, such as system.slice/nginx.service"),
        ("type: Container\nnetworkNamespace: web", "spec.networkNamespace: \"web\" must be an absolute path, such as /run/netns/web, or a process id without quotes"),
        ("type: Host\naddresses: [10.0.0.0/8]", "spec.addresses[0]: \"10.0.0.0/8\" is no address; write 192.0.2.1 or 2001:db8::1"),
    ])
    func processingUnits(spec: String, expected: String) {
        #expect(problem(document("ProcessingUnit", spec: spec)).hasSuffix(expected))
    }

    @Test("names and namespace paths", arguments: [
        ("web", "acme", "metadata.namespace: \"acme\" must begin with /, such as /acme/shop"),
        ("web", "/acme/", "metadata.namespace: \"/acme/\" must not end with /; write \"/acme\""),
        ("web", "/acme//shop", "metadata.namespace: \"/acme//shop\" has an empty part; write each / once"),
        ("web", "/acme/../x", "metadata.namespace: \"..\" in \"/acme/../x\" is no name; use letters, digits, \".\", \"-\" and \"_\""),
        ("web/x", "/acme", "metadata.name: \"web/x\" is no name; use letters, digits, \".\", \"-\" and \"_\""),
        ("''", "/acme", "metadata.name: is missing; give a name of letters, digits, \".\", \"-\" and \"_\""),
    ])
    func names(name: String, namespace: String, expected: String) {
        #expect(problem(document("ProcessingUnit", name, namespace: namespace, spec: "type: Host")).hasSuffix(expected))
    }

    @Test("a Namespace is named by the last part of its path, and the root lies in no other")
    func namespaceNames() {
        #expect(problem(document("Namespace", "/acme", namespace: "/", spec: "tags: []"))
            .hasSuffix("\"/acme\" must be the last part of the path alone; its parent goes into metadata.namespace"))
        #expect(problem(document("Namespace", "/", namespace: "/", spec: "tags: []"))
            .hasSuffix("metadata.namespace: the root namespace lies in no other; leave this out"))
        #expect(problem(document("Namespace", "acme", namespace: nil, spec: "tags: []"))
            .hasSuffix("metadata.namespace: is missing; give the path of the namespace, such as /acme/shop"))
    }

    @Test("an object from another source is checked by the same rules, without a text")
    func objectsOfOtherSources() {
        var object = Sallyport_Policy_V1_Object()
        object.key = .with { $0.kind = .tcpService; $0.namespace = "/acme"; $0.name = "web" }
        #expect(validate(object) == [FieldProblem(field: "spec", message: "is missing")])
        object.tcpService = .init()
        #expect(validate(object).map(\.field) == [
            "spec.loadBalancer", "spec.loadBalancer.port", "spec.target.selector", "spec.target.port",
        ])
        object.namespace = .init()
        #expect(validate(object) == [FieldProblem(field: "spec", message: "is a Namespace, but kind says TCPService")])
        object.key.kind = .UNRECOGNIZED(99)
        #expect(validate(object).first?.field == "kind")
    }

    @Test("a processing unit with more tags than a certificate holds is an error")
    func tooManyTags() {
        let tags = (0..<129).map { "k\($0)=v" }.joined(separator: ", ")
        #expect(problem(document("ProcessingUnit", spec: "type: Host\ntags: [\(tags)]")).contains("more than 128 tags"))
    }
}
