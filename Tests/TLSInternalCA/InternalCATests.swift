import Linux
import PKI
import PluginKit
import Support
import TLSInternalCA
import TTRPC
import Testing

@Suite("The internal CA's plugin", .timeLimit(.minutes(1)))
struct InternalCATests {
    let bench: PluginBench

    init() throws { bench = try PluginBench() }

    @Test("a leaf is issued for the host's key, with its tags in order, back-dated five minutes, for a day")
    func issue() async throws {
        try await bench.configure(bench.enforcer("node", namespaces: ["/acme"]))
        let response = try await bench.plugin.issue(bench.request("/acme/shop", "web-1", tags: ["b=2", "a=1"]))
        #expect(response.spiffeID == "spiffe://test.example/ns/acme/shop/pu/web-1")
        #expect(response.notBefore == bench.clock.now - 300)
        #expect(response.notAfter == bench.clock.now + 86400)
        #expect(response.chain.count == 2)
        let leaf = try LeafFacts(decoding: Array(response.chain[0]))
        #expect(leaf.tags == ["$identity=processingunit", "$name=web-1", "$namespace=/acme/shop", "a=1", "b=2"])
        #expect(await bench.plugin.health() == .ready)
    }

    @Test("the lifetime is the one configured")
    func lifetime() async throws {
        try await bench.configure(bench.enforcer("node"), lifetime: "90m")
        #expect(try await bench.plugin.issue(bench.request()).notAfter == bench.clock.now + 5400)
    }

    @Test("what may not be issued is refused with a sentence, and the plugin goes on")
    func refused() async throws {
        try await bench.configure(bench.enforcer("node", namespaces: ["/acme"]))
        var bad = [try bench.request("/other"), try bench.request("acme"), try bench.request("/acme", "a b"), try bench.request("/acme", tags: ["oops"])]
        bad.append(try bench.request("/acme"))
        bad[4].publicKey = .init([1, 2, 3])
        bad.append(try bench.request("/acme"))
        bad[5].tags = ["$name=web", "$namespace=/other"]
        for request in bad {
            let error = await #expect(throws: RPCError.self) { try await bench.plugin.issue(request) }
            #expect(error?.code == .invalidArgument)
        }
        _ = try await bench.plugin.issue(bench.request("/acme"))
    }

    @Test("the trust bundle comes first, then each change of roots or issuer, with a rising generation")
    func trust() async throws {
        try await bench.configure(bench.enforcer("node"))
        var bundles = bench.trust().makeAsyncIterator()
        let first = try #require(await bundles.next())
        #expect(first.trustDomain == "test.example")
        #expect(first.roots.map { Array($0) } == [try bench.ca.rootDER])

        let rotated = try bench.ca.rotate(now: bench.clock.now)
        let second = try #require(await bundles.next())
        #expect(second.roots.count == 2)
        #expect(second.issuerID == first.issuerID)
        #expect(second.generation > first.generation)

        _ = try bench.enforcer("node")
        let third = try #require(await bundles.next())
        #expect(third.issuerID != second.issuerID)
        #expect(third.generation > second.generation)

        _ = try rotated.retire(now: bench.clock.now)
        let fourth = try #require(await bundles.next())
        #expect(fourth.roots.map { Array($0) } == [try rotated.rootDER])
        #expect(fourth.issuerID == third.issuerID)
    }

    @Test("a second watch gets the same bundle, and both see the next")
    func twoWatches() async throws {
        try await bench.configure(bench.enforcer("node"))
        var one = bench.trust().makeAsyncIterator(), two = bench.trust().makeAsyncIterator()
        #expect(await one.next() == two.next())
        _ = try bench.enforcer("node")
        #expect(await one.next() == two.next())
    }

    @Test("a folder that becomes rubbish leaves what was read in force, says so, and is taken up again when mended")
    func rubbish() async throws {
        let node = try bench.enforcer("node")
        try await bench.configure(node)
        var bundles = bench.trust().makeAsyncIterator()
        let before = try #require(await bundles.next())
        let trust = try bench.folder.read("ca/enforcers/node/trust.pem")
        for rubbish in ["", "rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            try bench.folder.write(rubbish, to: "ca/enforcers/node/trust.pem")
            let health = await bench.health { !$0.message.isEmpty }
            #expect(health.ready && health.message.contains("trust.pem"), "\(health.message)")
            #expect(try await bench.plugin.issue(bench.request()).chain.count == 2)
            try bench.folder.write(trust, to: "ca/enforcers/node/trust.pem")
            #expect(await bench.health { $0.message.isEmpty }.ready)
        }
        chmod("\(node)/key.pem", 0o644)
        #expect(await bench.health { !$0.message.isEmpty }.message.contains("chmod 600"))
        chmod("\(node)/key.pem", 0o600)
        #expect(await bench.health { $0.message.isEmpty }.ready)
        // The same contents are no change: the next bundle is that of a new intermediate.
        _ = try bench.enforcer("node")
        #expect(await bundles.next()?.generation == before.generation + 1)
    }

    @Test("a daemon started before its certificates is not ready, and is once they come")
    func late() async throws {
        try await bench.configure(bench.folder.path + "/node")
        #expect(await bench.plugin.health().ready == false)
        let error = await #expect(throws: RPCError.self) { try await bench.plugin.issue(bench.request()) }
        #expect(error?.code == .unavailable)
        var bundles = bench.trust().makeAsyncIterator()
        let made = try bench.enforcer("node")
        rename(made, bench.folder.path + "/node")
        #expect(await bundles.next()?.roots.count == 1)
        #expect(await bench.plugin.health() == .ready)
    }

    @Test("in a CA's folder the enforcer's own part is used, by the daemon's name or the one configured, made before or after")
    func wholeCA() async throws {
        _ = try bench.enforcer("other", namespaces: ["/other"])
        try await bench.configure(bench.ca.directory)
        #expect(await bench.plugin.health().ready == false)
        _ = try bench.enforcer("node", namespaces: ["/acme"])
        _ = await bench.health { $0.ready }
        _ = try await bench.plugin.issue(bench.request("/acme"))
        try await bench.configure(bench.ca.directory, enforcer: "other")
        _ = try await bench.plugin.issue(bench.request("/other"))
    }

    @Test("a CA made in the directory after the start is found")
    func lateCA() async throws {
        let directory = bench.folder.path + "/later"
        mkdir(directory, 0o700)
        try await bench.configure(directory)
        let ca = try CertificateAuthority.create(at: directory, trustDomain: "test.example", now: bench.clock.now)
        _ = await bench.health { $0.message.contains("enforcers/node") }
        try ca.issueEnforcer("node", now: bench.clock.now)
        #expect(await bench.health { $0.ready } == .ready)
    }

    @Test("a new configuration that cannot be read is refused, and the one in force stays")
    func reconfigured() async throws {
        let node = try bench.enforcer("node")
        try await bench.configure(node)
        await #expect(throws: ConfigRefused.self) { try await bench.configure(bench.folder.path + "/nowhere") }
        await #expect(throws: ConfigRefused.self) { try await bench.configure(node, trustDomain: "other.example") }
        #expect(await bench.plugin.health() == .ready)
        var bundles = bench.trust().makeAsyncIterator()
        _ = await bundles.next()
        _ = try bench.enforcer("node")
        #expect(await bundles.next() != nil, "the folder in force is still watched")
    }

    @Test("an intermediate near its end is reported, and one past it issues nothing")
    func ending() async throws {
        try await bench.configure(bench.enforcer("node", lifetime: 40 * 86400))
        #expect(await bench.plugin.health() == .ready)
        bench.clock.advance(20 * 86400)
        let health = await bench.plugin.health()
        #expect(health.ready && health.message.contains("20 days"))
        bench.clock.advance(20 * 86400)
        #expect(await bench.plugin.health().ready == false)
        await #expect(throws: RPCError.self) { try await bench.plugin.issue(bench.request()) }
    }

    @Test(
        "settings that make no sense are refused by name",
        arguments: [
            ("relative/path", nil, nil, "directory"), ("/x", "a/b", nil, "enforcer"), ("/x", nil, "soon", "lifetime"), ("/x", nil, "59s", "lifetime"),
            ("/x", nil, "721h", "lifetime"), ("/x", nil, "9223372036854775807d", "lifetime"), ("/x", nil, "-1h", "lifetime"), ("/x", nil, "h", "lifetime"),
        ] as [(String, String?, String?, String)])
    func settings(_ directory: String, _ enforcer: String?, _ lifetime: String?, _ field: String) async throws {
        let configuration = InternalCAConfiguration(directory: directory, enforcer: enforcer, lifetime: lifetime)
        #expect(await bench.plugin.validate(configuration).map(\.field) == [field])
    }
}
