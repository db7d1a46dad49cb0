// A policy that takes itself away, in part or as a whole: what it allowed is refused, and live flows end as their namespace says.

import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct PolicyGoneTests {
    @Test("when the rule that allowed it goes, new flows are refused, and live ones are reset, drained or kept as their namespace says")
    func rule() throws {
        let nodes = try TwoNodes(settings: "timeouts: {drain: 3s}")
        try nodes.sallyport.allow("app=stranger", toReach: "app=web", port: 80)
        try nodes.eventually("let through") { try nodes.stranger.curl(TwoNodes.v4).status == 0 }
        let other = try Caller(from: nodes.stranger, url: TwoNodes.v4)
        for onPolicyChange in ["Reset", "Drain", "Keep"] {
            try nodes.sallyport.policy("namespace", """
                apiVersion: sallyport.dev/v1
                kind: Namespace
                metadata: {name: test, namespace: /}
                spec: {defaultAction: {incoming: Reject, outgoing: Reject}, onPolicyChange: \(onPolicyChange)}
                """)
            try nodes.sallyport.allow("app=client", toReach: "app=web", port: 80)
            try nodes.eventually("let through") { try nodes.client.curl(TwoNodes.v4).status == 0 }
            let live = try LiveFlow(from: nodes.client, to: "10.96.0.10", port: 9376)

            func forbid() throws {
                try nodes.sallyport.forbid("app=client", toReach: "app=web", port: 80)
                try nodes.eventually("refused") { try nodes.client.curl(TwoNodes.v4).status != 0 }
            }
            if onPolicyChange == "Keep" {
                try forbid()
                #expect(try live.asksAgain() == 2, "kept")
                live.end()
            } else {
                let flow = try nodes.enforcer1.flow({ $0.source.name == "client" && $0.verdict == "accepted" && $0.reason != nil }) {
                    try forbid()
                    if onPolicyChange == "Drain" { #expect(try live.asksAgain() == 2, "still drained") }
                    try live.ended()
                }
                // Whichever of the two ends it first says why.
                let other = try nodes.enforcer2.flow { $0.traceId == flow.traceId }
                #expect([flow.reason, other.reason].contains("policy-changed"), "\(onPolicyChange): \(flow) \(other)")
            }
        }
        _ = try nodes.enforcer1.flow { $0.source.name == "client" && $0.verdict == "refused" && $0.reason == "default-reject" }
        try other.stop()
    }

    @Test("when all of the policy goes, everything protected is refused, and nothing passes in the clear; when it comes back, all is well")
    func all() throws {
        let nodes = try TwoNodes()
        let live = try LiveFlow(from: nodes.client, to: "10.96.0.10", port: 9376)
        let link = try nodes.node1.capture("eth0")
        let files = try nodes.sallyport.hidePolicies()
        try live.ended()
        try nodes.eventually("refused") { try nodes.client.curl(TwoNodes.v4).status != 0 }
        for url in [TwoNodes.v4, TwoNodes.v6, "http://10.244.2.10/"] { #expect(try nodes.client.curl(url).status != 0, "\(url)") }
        // Not from elsewhere either.
        #expect(try nodes.node1.run("curl", "-s", "--max-time", "5", "http://10.244.2.10/").status != 0)
        #expect(!(try link.stop()).contains("secret"))
        let status = try nodes.enforcer1.command("status")
        #expect(status.status == 1)
        #expect(status.output.contains("the policy is empty"), "\(status)")
        #expect(nodes.enforcer1.log.contains("policy-empty"))
        let flow = try nodes.enforcer1.flow { $0.source.name == "client" && $0.reason == "not-ready" }
        #expect(flow.verdict == "refused")
        #expect(try nodes.enforcer2.flow { $0.sourceAddress == "10.1.0.1" }.reason == "not-ready")

        try nodes.sallyport.showPolicies(files)
        try nodes.eventually("served") { try nodes.client.curl(TwoNodes.v4).output == "the secret of a server" }
        #expect(try nodes.stranger.curl(TwoNodes.v4).status != 0)
        try nodes.eventually("ready") { try nodes.enforcer1.command("status").status == 0 }
        // A unit that is taken out of a policy is no longer protected: that is a wish, and not an accident.
        try nodes.sallyport.removePolicy("unit-stranger")
        try nodes.eventually("let go") { try !nodes.stranger.isHeld }
    }
}

extension Sallyport {
    /// Takes all policy files away.
    fileprivate func hidePolicies() throws -> [String] {
        let files = try check("ls", policyDirectory).split(separator: "\n").map(String.init)
        for file in files { try syscall("rename", file) { rename("\(policyDirectory)/\(file)", "\(policyDirectory)/.\(file).hidden") } }
        return files
    }

    fileprivate func showPolicies(_ files: [String]) throws {
        for file in files { try syscall("rename", file) { rename("\(policyDirectory)/.\(file).hidden", "\(policyDirectory)/\(file)") } }
    }
}
