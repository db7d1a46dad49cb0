import PKI
import Testing

@Suite("SPIFFE IDs")
struct SPIFFEIDTests {
    @Test(
        "what is written is parsed again",
        arguments: [
            ("/acme/shop", "web-1", "spiffe://example.org/ns/acme/shop/pu/web-1"),
            ("/", "web", "spiffe://example.org/ns/pu/web"),
            ("/pu", "pu", "spiffe://example.org/ns/pu/pu/pu"),
            ("/a/pu/b", "Web_1.2", "spiffe://example.org/ns/a/pu/b/pu/Web_1.2"),
        ])
    func roundTrip(_ namespace: String, _ name: String, _ text: String) throws {
        let id = try SPIFFEID(trustDomain: "example.org", namespace: NamespacePath(namespace), name: name)
        #expect(id.description == text)
        #expect(try SPIFFEID(text) == id)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "spiffe://", "spiffe:///ns/pu/a", "SPIFFE://example.org/ns/pu/a", "https://example.org/ns/pu/a", "spiffe:example.org/ns/pu/a",
            "spiffe://Example.org/ns/pu/a", "spiffe://example.org:8443/ns/pu/a", "spiffe://user@example.org/ns/pu/a",
            "spiffe://example.org", "spiffe://example.org/", "spiffe://example.org/ns/pu", "spiffe://example.org/ns/pu/",
            "spiffe://example.org/ns/pu/a/", "spiffe://example.org/ns//pu/a", "spiffe://example.org//ns/pu/a", "spiffe://example.org/ns/acme/a",
            "spiffe://example.org/ns/./pu/a", "spiffe://example.org/ns/acme/../pu/a", "spiffe://example.org/ns/pu/..",
            "spiffe://example.org/ns/pu/a?x=1", "spiffe://example.org/ns/pu/a#x", "spiffe://example.org/ns/pu/a%20b", "spiffe://example.org/ns/pu/ä",
            "spiffe://example.org/pu/a", "spiffe://example.org/ns/pu/a\n", " spiffe://example.org/ns/pu/a", "spiffe://example.org/ns/pu/a\0",
            "spiffe://example.org/ns/pu/" + String(repeating: "a", count: 2048),
            "spiffe://" + String(repeating: "a", count: 256) + "/ns/pu/a",
        ])
    func malformed(_ text: String) {
        #expect(throws: PKIError.self) { try SPIFFEID(text) }
    }

    @Test("a text cut short anywhere, or with a byte put in anywhere, never becomes the same ID")
    func mutilated() throws {
        let text = "spiffe://example.org/ns/acme/pu/web"
        let id = try SPIFFEID(text)
        for index in text.indices {
            #expect((try? SPIFFEID(text[..<index])) != id)
            for extra in ["/", ".", "a", "%", "\0"] {
                var longer = text
                longer.insert(contentsOf: extra, at: index)
                #expect((try? SPIFFEID(longer)) != id)
            }
        }
    }

    @Test("names that a path segment cannot carry are refused when an ID is made", arguments: ["", ".", "..", "a/b", "a b", "ä", "a%"])
    func badName(_ name: String) {
        #expect(throws: PKIError.self) { try SPIFFEID(trustDomain: "example.org", namespace: .root, name: name) }
    }

    @Test("messages show hostile text escaped and cut")
    func quoted() {
        let error = #expect(throws: PKIError.self) { try SPIFFEID("\u{1b}[31m\n" + String(repeating: "x", count: 1000)) }
        #expect(error?.description.contains("\u{1b}") == false)
        #expect((error?.description.count ?? .max) < 250)
    }
}

@Suite("Namespace paths")
struct NamespacePathTests {
    @Test("well-formed paths are kept as they are", arguments: ["/", "/acme", "/acme/prod/shop", "/a.b/c-d/e_f"])
    func good(_ text: String) throws {
        #expect(try NamespacePath(text).description == text)
    }

    @Test("others are refused", arguments: ["", "acme", "//", "/acme/", "/acme//shop", "/acme/..", "/.", "/ac me", "/acmé", "acme/shop"])
    func bad(_ text: String) {
        #expect(throws: PKIError.self) { try NamespacePath(text) }
    }

    @Test("a namespace holds itself and what is below, and not its namesakes or parents")
    func contains() throws {
        let acme = try NamespacePath("/acme")
        #expect(acme.contains(acme))
        #expect(acme.contains(try NamespacePath("/acme/shop/eu")))
        #expect(!acme.contains(try NamespacePath("/acmex")))
        #expect(!acme.contains(.root))
        #expect(NamespacePath.root.contains(acme))
    }
}

@Suite("Tags in certificates")
struct TagListTests {
    @Test("tags are put in byte order, each once")
    func canonical() throws {
        // "é" written in two ways: equal as Swift strings, and two tags.
        let composed = "k=\u{e9}", decomposed = "k=e\u{301}"
        let tags = try TagList.canonical(["b=2", "a=1", "b=2", composed, "$name=x", decomposed])
        #expect(tags.map { Array($0.utf8) } == ["$name=x", "a=1", "b=2", decomposed, composed].map { Array($0.utf8) })
    }

    @Test("what is not key=value is refused", arguments: ["", "web", "=x", "a=b\nc", "a\0=b", "a=\u{7f}"])
    func malformed(_ tag: String) {
        #expect(throws: PKIError.self) { try TagList.canonical(["a=1", tag]) }
    }

    @Test("an empty value, and '=' in a value, are allowed")
    func value() throws {
        #expect(try TagList.canonical(["a=", "b==="]) == ["a=", "b==="])
    }

    @Test("256 tags and 16 KiB are carried, and not one more")
    func bounds() throws {
        let many = (0..<256).map { "k\($0)=v" }
        #expect(try TagList.canonical(many).count == 256)
        #expect(throws: PKIError.self) { try TagList.canonical(many + ["one=more"]) }
        let long = "k=" + String(repeating: "x", count: 16 * 1024 - 2)
        #expect(try TagList.canonical([long]) == [long])
        #expect(throws: PKIError.self) { try TagList.canonical([long + "x"]) }
    }
}
