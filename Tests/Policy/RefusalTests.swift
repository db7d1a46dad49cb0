// Bad documents harm nothing else (BEHAVIOUR, "Objects").

import Policy
import SallyportProtocol
import Support
import Testing

@Suite struct RefusalTests {
    @Test("a bad object is refused with its name, place and field; its last good version stays in force until it is mended")
    func lastGood() throws {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        let good = PolicyObject.service("/a/db", port: 80, target: [["app=db"]])
        #expect(compiler.apply(upserts: [.unit("/a/client"), good], removes: []).isEmpty)
        var bad = good
        bad.tcpService.loadBalancer.port = 70000
        bad.origin = "db.yaml:3"
        let other = PolicyObject.service("/a/web", at: ["10.0.0.2"], port: 80, target: [["app=web"]])
        let found = compiler.apply(upserts: [bad, other], removes: [])
        #expect(found.count == 1)
        #expect(found[0].key == good.key && found[0].origin == "db.yaml:3" && found[0].field == "spec.loadBalancer.port" && found[0].severity == .error)
        var snapshot = compiler.compile()
        #expect(snapshot.problems == found)
        #expect(try snapshot.dialled("/a/client", "10.96.0.10:80") == "/a/db")
        #expect(try snapshot.dialled("/a/client", "10.0.0.2:80") == "/a/web")

        #expect(compiler.compile().problems == found, "it stays visible")
        #expect(compiler.apply(upserts: [good], removes: []).isEmpty)
        snapshot = compiler.compile()
        #expect(snapshot.problems.isEmpty)
    }

    @Test("an object that was never good can be removed, and its problem with it")
    func removal() {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        var bad = PolicyObject.ruleset("/a/rules")
        bad.networkRuleset.subject.anyOf = []
        #expect(!compiler.apply(upserts: [bad], removes: []).isEmpty)
        #expect(!compiler.compile().problems.isEmpty)
        #expect(compiler.apply(upserts: [], removes: [bad.key]).isEmpty)
        let snapshot = compiler.compile()
        #expect(snapshot.problems.isEmpty && snapshot.counts == PolicyCounts())
    }

    @Test("a PU cannot give itself derived tags")
    func derivedTags() {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        #expect(compiler.apply(upserts: [.unit("/a/x", ["$namespace=/b"])], removes: []).contains { $0.severity == .error })
        #expect(compiler.compile().units.isEmpty)
    }

    @Test("objects mangled in any field are refused or compiled, never a crash")
    func mangled() throws {
        var random = SplitMix64(seed: 11)
        let good: [PolicyObject] = [
            .namespace("/acme", outgoing: .allow, tags: ["a=b"]), .unit("/acme/web", ["app=web"], at: ["10.0.0.1"]),
            .service("/acme/s", target: [["app=web"]]), .dependency("/acme/d", subject: anyone, object: [["$identity=service"]]),
            .ruleset("/acme/r", incoming: [.allow([["app=web"]], ["tcp/80"])], outgoing: [.reject([["app!=x"]])]),
            .externalNetwork("/acme/x", ["10.0.0.0/8", "!10.1.0.0/16"]),
        ]
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        var refused = 0
        for _ in 0..<4000 {
            guard var bytes: [UInt8] = try good.randomElement(using: &random)?.serializedBytes() else { continue }
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let object = try? PolicyObject(serializedBytes: bytes) else { continue }
            refused += compiler.apply(upserts: [object], removes: []).isEmpty ? 0 : 1
            if Int.random(in: 0..<50, using: &random) == 0 {
                let snapshot = compiler.compile()
                for unit in snapshot.units {
                    _ = unit.decide(.incoming, peer: snapshot.intern(unit.tags), ports: FlowPorts(target: 80, dialled: 80))
                    _ = snapshot.explain(from: unit.key.description, to: "10.0.0.1:80")
                }
                _ = snapshot.listServices().count + snapshot.listUnits().count
            }
        }
        #expect(refused > 100)
    }
}
