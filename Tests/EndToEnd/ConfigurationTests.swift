// Bad documents, bad drop-ins and bad plugins: told where an operator looks, and what was good goes on.

import Linux
import Support
import Testing

@Suite(.enabled(if: Sallyport.isPossible, "needs root, and the programs built: swift build -c release"), .serialized)
struct ConfigurationTests {
    @Test("a bad document is told with its place, its last good version stays in force, and mending it ends the matter")
    func document() throws {
        let nodes = try TwoNodes()
        let caller = try Caller(from: nodes.client, url: TwoNodes.v4)
        let enforcer = nodes.enforcer1
        let problems = try #require(try enforcer.metric("sallyport_problems"))

        // A new one, and a bad version of one that the flows need.
        try nodes.sallyport.policy("zz-bad", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: bad, namespace: /test}
            spec:
              loadBalancer: {addresses: [10.96.0.99], prot: 9376}
              target: {selector: [["app=web"]], port: 80}
            """)
        try nodes.sallyport.policy("service-web", """
            apiVersion: sallyport.dev/v1
            kind: TCPService
            metadata: {name: web, namespace: /test}
            spec:
              loadBalancer: {addresses: ["10.96.0.10", "fd00:10:96::10"], port: 93760}
              target: {selector: [["app=web"]], port: 80}
            """)
        var status = try enforcer.command("status")
        try nodes.eventually("told in the status") {
            status = try enforcer.command("status")
            return status.output.contains("zz-bad.yaml:5:") && status.output.contains("service-web.yaml:5:")
        }
        #expect(status.output.contains("spec.loadBalancer.prot: is no known field; did you mean port?"))
        #expect(status.output.contains("its last good version stays in force"))
        // Nothing is the matter with the node itself.
        #expect(status.status == 0)
        #expect(try enforcer.metric("sallyport_problems") ?? 0 > problems)
        try nodes.eventually("logged") { enforcer.log.contains("policy-problem") && enforcer.log.contains("did you mean port?") }
        // The good documents of the same moment count.
        try nodes.sallyport.allow("app=stranger", toReach: "app=web", port: 80)
        try nodes.eventually("let through") { try nodes.stranger.curl(TwoNodes.v4).status == 0 }

        try nodes.sallyport.removePolicy("zz-bad")
        try nodes.sallyport.service("web", addresses: "10.96.0.10", "fd00:10:96::10", port: 9376, target: "app=web", targetPort: 80)
        try nodes.eventually("mended") { try enforcer.metric("sallyport_problems") == problems }
        #expect(try !enforcer.command("status").output.contains("✗"))
        try caller.stop()
    }

    @Test("a bad drop-in is refused by reload and by SIGHUP, and told by the list of plugins; the plugins go on as they were")
    func dropIn() throws {
        let nodes = try TwoNodes()
        let caller = try Caller(from: nodes.client, url: TwoNodes.v4)
        let enforcer = nodes.enforcer1
        let pid = try #require(try enforcer.plugin("policy")).pid

        // Of a plugin that runs: it goes on under the drop-in before.
        let good = try #require(nodes.sallyport.dropIns(for: nodes.node1)["10-policy.yaml"])
        try enforcer.dropIn("10-policy.yaml", "version: 1\nplugin: policy-file\nknid: policy-source\n")
        let reload = try enforcer.command("reload")
        #expect(reload.status == 1)
        #expect(reload.errors.contains("10-policy.yaml:3:1: knid: is no known field; did you mean kind?"), "\(reload)")
        let kept = try #require(try enforcer.plugin("policy"))
        #expect(kept.pid == pid)
        #expect(kept.message.contains("its drop-in was refused, the one before is in force"))
        // Its configuration is what is bad: the plugin itself says so.
        try enforcer.dropIn("10-policy.yaml", good.replacing("policy.d", with: "nowhere.d").replacing("directory:", with: "folder:"))
        try enforcer.signal(SIGHUP)
        try nodes.eventually("logged") { enforcer.log.contains("reload-problem") && enforcer.log.contains("folder") }
        #expect(try enforcer.plugin("policy")?.pid == pid)
        // Not even a plugin that is there.
        try enforcer.dropIn("40-missing.yaml", "version: 1\nplugin: not-there\n")
        // One that somebody else could change.
        try nodes.sallyport.plugin("foreign") { chown($0, 12345, 12345) }
        try enforcer.dropIn("50-foreign.yaml", "version: 1\nplugin: foreign\n")
        try nodes.sallyport.plugin("open") { chmod($0, 0o777) }
        try enforcer.dropIn("60-open.yaml", "version: 1\nplugin: open\n")
        try enforcer.command("reload")
        let expected = ["missing": "there is neither not-there.so nor not-there in", "foreign": "belongs to user 12345", "open": "has mode 777"]
        for (name, text) in expected {
            try nodes.eventually("failed with its reason: \(name)") {
                let plugin = try enforcer.plugin(name)
                return plugin?.state == "failed" && plugin?.message.contains(text) == true
            }
            #expect(enforcer.log.contains(text))
        }
        // Flows do not depend on any of it.
        #expect(try enforcer.command("status").status == 0)

        try enforcer.dropIn("10-policy.yaml", good)
        for file in ["40-missing.yaml", "50-foreign.yaml", "60-open.yaml"] { try enforcer.removeDropIn(file) }
        let mended = try enforcer.command("reload")
        #expect(mended.status == 0, "\(mended)")
        try nodes.eventually("ready") { try enforcer.plugin("policy")?.state == "ready" }
        #expect(try enforcer.plugin("missing") == nil)
        try caller.stop()
    }

    @Test("while a plugin crashes or is gone, what it last said stays in force, flows go on, and it is started again")
    func crash() throws {
        let nodes = try TwoNodes()
        let caller = try Caller(from: nodes.client, url: TwoNodes.v4)
        let enforcer = nodes.enforcer1
        for name in ["policy", "tls", "load-balancer"] {
            var running: Enforcer.PluginStatus?
            try nodes.eventually("\(name) runs: \(try enforcer.command("plugins").output)") {
                running = try enforcer.plugin(name)
                return running?.state == "ready"
            }
            let before = try #require(running)
            try #require(before.pid > 1)
            kill(before.pid, SIGKILL)
            try nodes.eventually("started \(name) again") {
                let now = try enforcer.plugin(name)
                return now?.state == "ready" && now?.pid != before.pid && now?.restarts == before.restarts + 1
            }
            #expect(enforcer.log.contains("plugin=\(name) state=backoff"))
        }
        // Its file has gone: it cannot be started again, and no flow needs it.
        let policy = try #require(try enforcer.plugin("policy"))
        try #require(policy.pid > 1)
        let file = "\(nodes.sallyport.pluginDirectory)/policy-file.so"
        try syscall("rename", file) { rename(file, file + ".gone") }
        kill(policy.pid, SIGKILL)
        try nodes.eventually("failed") {
            let plugin = try enforcer.plugin("policy")
            return plugin?.state == "failed" && plugin?.message.contains("there is neither policy-file.so") == true
        }
        #expect(try nodes.client.curl(TwoNodes.v6).status == 0)
        #expect(try nodes.stranger.curl(TwoNodes.v4).status != 0)
        try caller.goesOn()
        // It is back, with what was changed meanwhile.
        try nodes.sallyport.allow("app=stranger", toReach: "app=web", port: 80)
        try syscall("rename", file) { rename(file + ".gone", file) }
        try enforcer.command("reload")
        try nodes.eventually("let through") { try nodes.stranger.curl(TwoNodes.v4).status == 0 }
        try caller.stop()
    }
}
