// Each slip gives one error: its place, the field, what is wrong and what would be right.

import PolicyDocuments
import Testing

@Suite struct FieldErrorTests {
    @Test("an unknown field is one error with the nearest known name, or where it belongs, or what is known")
    func unknownField() {
        #expect(problem(service(more: "publicport: 443")) == "13:3: spec.publicport: is no known field; did you mean publicPort?")
        #expect(problem(service(target: "tlsonly: true")).hasSuffix("spec.target.tlsonly: is no known field; did you mean tlsOnly?"))
        #expect(problem(service(more: "selector: [[a=b]]")).hasSuffix("spec.selector: is no known field here; it belongs in target"))
        #expect(
            problem(service(more: "colour: red")).hasSuffix(
                "is no known field; known here are loadBalancer, target, publicPort, tls, tags, propagate, disabled"))
        #expect(problem(service(more: "<<: {a: b}")).contains("merge keys are not supported"))
    }

    @Test("a misspelt required field is named once, and what follows from it is not repeated")
    func misspeltRequired() {
        let found = problems(service().replacing("    port: 80\n", with: "    prot: 80\n"))
        #expect(found == [
            "10:5: spec.target.port: is missing; it must be a port from 1 to 65535",
            "11:5: spec.target.prot: is no known field; did you mean port?",
        ])
    }

    @Test("a wrong type names what is there and what should be", arguments: [
        ("publicPort: \"443\"", "13:15: spec.publicPort: must be a port from 1 to 65535, without quotes"),
        ("publicPort: 0443", "13:15: spec.publicPort: must be a port from 1 to 65535, without leading zeros"),
        ("publicPort: 443.0", "13:15: spec.publicPort: must be a port from 1 to 65535, not \"443.0\""),
        ("publicPort: 0", "13:15: spec.publicPort: must be a port from 1 to 65535, not \"0\""),
        ("publicPort: 65536", "13:15: spec.publicPort: must be a port from 1 to 65535, not \"65536\""),
        ("publicPort: -1", "13:15: spec.publicPort: must be a port from 1 to 65535, not \"-1\""),
        ("publicPort: 99999999999999999999", "13:15: spec.publicPort: must be a port from 1 to 65535, not \"99999999999999999999\""),
        ("publicPort: [443]", "13:15: spec.publicPort: must be a port from 1 to 65535, not a list"),
        ("publicPort: {a: 1}", "13:15: spec.publicPort: must be a port from 1 to 65535, not a mapping"),
        ("publicPort:", "13:14: spec.publicPort: must be a port from 1 to 65535, and has no value; write one or leave the field out"),
        ("propagate: yes", "13:14: spec.propagate: must be true or false, not \"yes\""),
        ("propagate: 'true'", "13:14: spec.propagate: must be true or false, without quotes"),
        ("tags: app=web", "13:9: spec.tags: must be a list of tags, key=value, not \"app=web\""),
        ("tags: [[app=web]]", "13:10: spec.tags[0]: must be a tag, key=value, not a list"),
        ("tags: [app=web, 5]", "13:19: spec.tags[1]: must be a tag, key=value, and 5 without quotes is none; in quotes it is text"),
        ("tls: 5", "13:8: spec.tls: must be a mapping with mode, certificate, key, applicationProtocols, clientAuthentication, not \"5\""),
        ("tags: !!set [a=b]", "13:9: spec.tags: YAML tags such as !!int are not used in documents; remove it"),
        ("tags:\n- !x", "14:5: spec.tags[0]: text that begins with ! must be in quotes: \"!x\""),
    ])
    func wrongType(line: String, expected: String) {
        #expect(problem(service(more: line)) == expected)
    }

    @Test("a field given twice is an error at the second, and names the line of the first")
    func duplicateField() {
        #expect(problem(service(more: "propagate: true\npropagate: false"))
            == "14:3: spec.propagate: is already given on line 13; keep one of the two")
    }

    @Test("words of a closed list are matched exactly, with the one that was meant")
    func words() {
        #expect(problem(document("NetworkRuleset", spec: "subject: [[a=b]]\nincoming: [{action: allow, object: [[a=b]], ports: [any]}]"))
            == "6:23: spec.incoming[0].action: must be Allow or Reject, not \"allow\"; did you mean Allow?")
        #expect(problem(document("Namespace", spec: "failureMode: Ajar")) == "5:16: spec.failureMode: must be Closed or Open, not \"Ajar\"")
    }

    @Test("apiVersion, kind, metadata and spec are checked as strictly")
    func envelope() {
        let good = service()
        #expect(problem(good.replacing("/v1", with: "/v2")) == "1:13: apiVersion: must be sallyport.dev/v1, not \"sallyport.dev/v2\"; did you mean sallyport.dev/v1?")
        #expect(problem(good.replacing("kind: TCPService", with: "kind: TcpServcie")) == "2:7: kind: \"TcpServcie\" is no known kind; did you mean TCPService?")
        #expect(problem(good.replacing("kind: TCPService", with: "kind: Deployment")).hasPrefix("2:7: kind: must be one of Namespace, ProcessingUnit, TCPService"))
        #expect(problem(good.replacing("kind: TCPService\n", with: "")) == "1:1: kind: is missing; it must be one of Namespace, ProcessingUnit, TCPService, ServiceDependencyPolicy, NetworkRuleset, ExternalNetwork")
        #expect(problem(good.replacing("name: web, ", with: "")) == "3:11: metadata.name: is missing; it must be a name")
        #expect(problem(good + "status: {}\n") == "14:1: status: is no known field; known here are apiVersion, kind, metadata, spec")
        #expect(problem("apiVersion: sallyport.dev/v1\nkind: ServiceDependencyPolicy\nmetadata: {name: a, namespace: /}\nspec: {object: [[a=b]]}\n")
            .hasPrefix("4:7: spec.subject: is missing; it must be a list of lists of tags"))
        #expect(problem("just text") == "1:1: must be a mapping with apiVersion, kind, metadata, spec, not \"just text\"")
    }

    @Test("a document with thousands of slips gives a bounded number of errors and says that there are more")
    func boundedProblems() {
        let found = problems(service(more: "tags: [\(Array(repeating: "x", count: 100).joined(separator: ", "))]"))
        #expect(found.count == 26)
        #expect(found.last == "1:1: this document has more problems; mend the first ones")
    }

    @Test("no number of warnings hides an error")
    func warningsAndErrors() {
        let rules = Array(repeating: "- {action: Allow, object: [[a=b]], ports: [any, tcp/1]}\n", count: 40).joined()
        let file = decodeDocuments(
            document("NetworkRuleset", spec: "subject: [[a=b]]\nincoming:\n\(rules)outgoing:\n- {action: Allow, object: [[a=b]], ports: [tcp/0]}"),
            file: "x")
        #expect(file.objects.isEmpty)
        #expect(file.problems.contains { $0.severity == .error && $0.field == "spec.outgoing[0].ports[0]" })
    }

    @Test("the same document twice in a file: the first stands, the second is an error")
    func duplicateDocument() {
        let file = decodeDocuments(service() + "---\n" + service(more: "publicPort: 443"), file: "x")
        #expect(file.objects.map(\.tcpService.publicPort) == [0])
        #expect(file.problems.map(\.description) == [
            "x:15:1: metadata.name: TCPService /acme/shop/web is already defined on line 1; remove one of the two"
        ])
        #expect(file.documents.map { $0.key?.name } == ["web", "web"])
    }

    @Test("a bad document names its key while that can be read, and leaves its neighbours alone")
    func neighbours() {
        let text = [service("a"), service("b", more: "publicPort: x"), service("c")].joined(separator: "---\n")
        let file = decodeDocuments(text, file: "x")
        #expect(file.objects.map(\.key.name) == ["a", "c"])
        #expect(file.documents.map { $0.key?.name } == ["a", "b", "c"])
        #expect(file.problems.count == 1 && file.problems[0].key?.name == "b")
        #expect(file.namesEveryDocument)
        #expect(!decodeDocuments(text.replacing("name: b", with: "nam: b"), file: "x").namesEveryDocument)
    }
}
