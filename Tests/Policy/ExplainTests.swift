// `sallyport explain`: every decision can be explained (BEHAVIOUR, "Decisions").

import Policy
import SallyportProtocol
import Support
import Testing

@Suite struct ExplainTests {
    private let shop = snapshot(
        .unit("/acme/web", ["app=web"]), .unit("/acme/cron", ["app=cron"]), .unit("/acme/db-1", ["app=db"], at: ["10.1.0.1"], node: "node-2"),
        .unit("/acme/db-2", ["app=db", "stage=new"], at: ["10.1.0.2"], node: "node-2"), .unit("/other/db-1"), .unit("/acme/lone", at: ["10.1.0.9"], node: "n"),
        .service("/acme/db", port: 9376, target: [["app=db"]], targetPort: 5432, tlsOnly: true), .service("/acme/empty", at: ["10.96.0.11"], target: [["app=none"]]),
        .service("/acme/off", at: ["10.96.0.12"], target: [["app=db"]], disabled: true), .service("/other/api", at: ["10.96.0.13"], target: [["app=api"]]),
        .externalNetwork("/acme/internet", ["0.0.0.0/0"]),
        .ruleset("/acme/web", subject: [["app=web"]], outgoing: [.allow([["app=db"]], ["tcp/5432"]), .allow([["$name=internet"]], ["tcp/443"], name: "https")]),
        .ruleset("/acme/db", subject: [["app=db"]], incoming: [.allow([["app=web"]], ["any"]), .reject([["app=web"]], ["tcp/5432"], observe: true)]),
        .ruleset("/acme/old", subject: [["stage=new"]], incoming: [.reject([["app=web"]], ["tcp/5433"])]))

    private func stages(_ response: Sallyport_Control_V1_ExplainResponse) -> [String] {
        response.steps.map { "\($0.ok ? "+" : "-")\($0.stage)" }
    }

    @Test("a flow that passes is explained by visibility, selector, both rules and encryption")
    func accepted() {
        let response = shop.explain(from: "/acme/web", to: "/acme/db")
        #expect(stages(response) == ["+visibility", "+selector", "+outgoing", "+incoming", "+encryption"])
        #expect(response.verdict == .accepted && response.encrypted == .enforcer)
        let text = response.steps.map(\.text)
        #expect(text[0] == "/acme/web sees /acme/db by the default service dependency of /acme")
        #expect(text[1] == "/acme/db-1, /acme/db-2 matches the target selector: app=db")
        #expect(text[2] == "to /acme/db-1, /acme/db-2: allowed by /acme/web#0 (object app=db; ports tcp/5432)")
        #expect(
            text[3] == "at /acme/db-1, /acme/db-2: from /acme/web: allowed by /acme/db#0 (object app=web; ports any); "
                + "the observe rule /acme/db#1 (object app=web; ports tcp/5432) would reject it")
        #expect(text[4].contains("mutual TLS 1.3") && text[4].contains("TLS from there to the application"))
    }

    @Test("a flow that a side refuses is explained by that side's rule or default")
    func refused() {
        let response = shop.explain(from: "cron", to: "service:db")
        #expect(stages(response) == ["+visibility", "+selector", "-outgoing", "-incoming"])
        #expect(response.verdict == .refused && response.encrypted == .no)
        #expect(response.steps[2].text == "to /acme/db-1, /acme/db-2: /acme/cron has no outgoing rules, and the default action of / is Reject")
        #expect(response.steps[3].text.hasSuffix("none of the 1 incoming rules of /acme/db-1 matches, and the default action of / is Reject"))
    }

    @Test("a frontend, a PU's own address and a PU's name lead to the service", arguments: [
        ("10.96.0.10:9376", "10.96.0.10:9376 is a frontend of /acme/db, which /acme/web sees by the default service dependency of /acme", 2),
        ("10.1.0.2:5432", "10.1.0.2:5432 is an address and port of processing units that implement /acme/db, which /acme/web sees by the default service dependency of /acme", 1),
        ("/acme/db-1", "/acme/web sees /acme/db, whose target is /acme/db-1, by the default service dependency of /acme", 1),
        ("db-2", "/acme/web sees /acme/db, whose target is /acme/db-2, by the default service dependency of /acme", 1),
    ])
    func ways(to: String, visibility: String, targets: Int) {
        let response = shop.explain(from: "/acme/web", to: to)
        #expect(response.steps.first?.text == visibility)
        #expect(response.verdict == .accepted)
        #expect(response.steps.dropFirst().first?.text.contains(targets == 2 ? "db-1, /acme/db-2" : "/acme/db-") == true)
    }

    @Test("an address outside every service is explained by its external network or PU, and is not encrypted")
    func withoutService() {
        let https = shop.explain(from: "/acme/web", to: "192.0.2.1:443")
        #expect(stages(https) == ["+visibility", "+selector", "+outgoing", "-encryption"])
        #expect(https.verdict == .accepted && https.encrypted == .no)
        #expect(https.steps[1].text == "192.0.2.1 is in the external network /acme/internet")
        #expect(https.steps[2].text == "to internet: allowed by /acme/web#https (object $name=internet; ports tcp/443)")
        let six = shop.explain(from: "/acme/web", to: "[2001:db8::1]:443")
        #expect(stages(six) == ["+visibility", "-selector", "-outgoing"] && six.verdict == .refused)
        let unit = shop.explain(from: "/acme/web", to: "10.1.0.2:22")
        #expect(unit.steps[1].text == "10.1.0.2 is an address of /acme/db-2" && unit.verdict == .refused)
    }

    @Test("what a PU does not see is said to be so, with the reason")
    func invisible() {
        for to in ["/other/api", "10.96.0.13:9376"] {
            let response = shop.explain(from: "/acme/web", to: to)
            #expect(stages(response) == ["-visibility"] && response.verdict == .unspecified)
            #expect(response.summary.contains("/acme/web does not see /other/api"))
        }
        #expect(shop.explain(from: "/acme/web", to: "/acme/off").summary == "/acme/off is disabled")
        #expect(shop.explain(from: "/acme/web", to: "/acme/lone").summary.contains("sees no service whose target is /acme/lone"))
    }

    @Test("a service that no PU implements is explained as far as it goes")
    func nobody() {
        let response = shop.explain(from: "/acme/web", to: "/acme/empty")
        #expect(stages(response) == ["+visibility", "-selector", "-outgoing"])
        #expect(response.verdict == .refused)
    }

    @Test("where some of a service's PUs are refused, it says which", arguments: [UInt32(5433)])
    func mixed(port: UInt32) {
        let snapshot = snapshot(
            .unit("/a/client", ["app=web"]), .unit("/a/s-1", ["app=s"], node: "n"), .unit("/a/s-2", ["app=s", "stage=new"], node: "n"),
            .service("/a/s", target: [["app=s"]], targetPort: port), .ruleset("/a/r", incoming: [.allow(anyone)], outgoing: [.allow([["app=s", "stage!=new"]])]))
        let response = snapshot.explain(from: "client", to: "service:s")
        #expect(response.verdict == .unspecified && response.summary == "accepted to 1 of 2 processing units, refused to the others")
        #expect(stages(response) == ["+visibility", "+selector", "+outgoing", "-outgoing", "+incoming", "+encryption"])
    }

    @Test("a name that nothing has, or several have, is answered by what to say instead", arguments: [
        ("nobody", "/acme/db", "-from", "no processing unit is named nobody; `sallyport pus` lists them"),
        ("db-1", "/acme/db", "-from", "db-1 may mean pu:/acme/db-1, pu:/other/db-1; give one of these"),
        ("/acme/web", "nothing", "-to", "nothing names no service and no processing unit, and is no ADDRESS:PORT; `sallyport services` and `sallyport pus` list them"),
        ("/acme/web", "10.0.0.1", "-to", "10.0.0.1 names no service"), ("", "", "-from", "no processing unit is named"), ("/", "/", "-from", "no processing unit"),
        ("pu:", "x", "-from", "no processing unit"), ("/acme/web", "service:db-1", "-to", "names no service"),
    ])
    func names(from: String, to: String, stage: String, text: String) {
        let response = shop.explain(from: from, to: to)
        #expect(stages(response) == [stage] && response.verdict == .unspecified)
        #expect(response.steps[0].text.hasPrefix(text) || response.steps[0].text.contains(text))
        #expect(response.summary == response.steps[0].text)
    }

    @Test("services are listed with frontends, targets and what is off; PUs of all nodes with all their tags")
    func lists() {
        let services = shop.listServices()
        #expect(services.map { "\($0.namespace)/\($0.name)" } == ["/acme/db", "/acme/empty", "/acme/off", "/other/api"])
        #expect(services[0].frontends == ["10.96.0.10:9376"] && services[0].targets == ["/acme/db-1", "/acme/db-2"])
        #expect(services[0].targetPort == 5432 && services[0].tlsOnly && services[0].adapter == "static" && services[0].problem.isEmpty)
        #expect(services[2].problem == "disabled" && services[2].targets.isEmpty)
        let units = shop.listUnits()
        #expect(units.map { "\($0.namespace)/\($0.name)" } == ["/acme/cron", "/acme/db-1", "/acme/db-2", "/acme/lone", "/acme/web", "/other/db-1"])
        #expect(units[1].addresses == ["10.1.0.1"] && !units[1].local && units[1].tags.contains("app=db") && units[4].local)
    }
}
