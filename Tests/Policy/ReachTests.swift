// Which services nobody could reach.

import Linux
import Policy
import SallyportProtocol
import Support
import Testing

@Suite struct ReachTests {
    private func reach(_ snapshot: PolicySnapshot, within patience: Duration = .seconds(60)) -> [String: ServiceReach.Outcome] {
        Dictionary(uniqueKeysWithValues: snapshot.reach(within: patience).map { ($0.service.path, $0.outcome) })
    }

    private let objects: [PolicyObject] = [
        .unit("/a/web", ["app=web"]), .unit("/a/cron", ["app=cron"]), .unit("/a/db", ["app=db"], node: "node-2"), .unit("/b/far", ["app=far"], node: "node-2"),
        .service("/a/db", target: [["app=db"]]), .service("/a/empty", at: ["10.96.0.11"], target: [["app=none"]]), .service("/b/far", at: ["10.96.0.12"], target: [["app=far"]]),
        .service("/a/off", at: ["10.96.0.13"], target: [["app=db"]], disabled: true), .ruleset("/a/web", subject: [["app=web"]], outgoing: [.allow([["app=db"]])]),
    ]

    private func compiled(_ more: PolicyObject...) -> PolicySnapshot {
        var compiler = PolicyCompiler(enforcer: "node-1", hostname: "host-1")
        _ = compiler.apply(upserts: objects + more, removes: [])
        return compiler.compile()
    }

    @Test("a service is reached once one client that sees it is let through by both sides, on whatever node")
    func bothSides() {
        let shut = reach(compiled())
        #expect(shut["/a/empty"] == .unimplemented && shut["/a/off"] == nil)
        #expect(shut["/b/far"] == .refused(client: "/b/far"))
        // The server does not let it in.
        guard case .refused? = shut["/a/db"] else { return #expect(Bool(false), "\(shut)") }
        let open = reach(compiled(.ruleset("/a/db", subject: [["app=db"]], incoming: [.allow([["app=web"]])])))
        #expect(open["/a/db"] == .reachable)
        // Only from one that may not go out.
        let crossed = reach(compiled(.ruleset("/a/db", subject: [["app=db"]], incoming: [.allow([["app=cron"]])])))
        #expect(crossed["/a/db"] != .reachable)
    }

    @Test("a service that no unit sees is told apart from one that is seen and refused")
    func unseen() {
        let hidden = compiled(.namespace("/a", services: .disabled), .namespace("/b", services: .disabled))
        #expect(reach(hidden)["/a/db"] == .unseen)
        let seen = compiled(
            .namespace("/a", services: .disabled), .dependency("/a/dep", subject: [["app=cron"]], object: [["$name=db"]]))
        #expect(reach(seen)["/a/db"] == .refused(client: "/a/cron"))
    }

    @Test("without time nothing is claimed of services that somebody implements")
    func noTime() {
        let outcomes = reach(compiled(), within: .zero)
        #expect(outcomes == ["/a/db": .unknown, "/a/empty": .unimplemented, "/b/far": .unknown])
    }

    @Test("addresses are told to be units' own")
    func addresses() throws {
        let snapshot = compiled(.unit("/a/placed", at: ["10.1.0.1", "2001:db8::1"], node: "node-2"))
        let all = Set(["10.1.0.1", "10.1.0.2", "2001:db8::1"].compactMap { IPAddress($0) })
        #expect(snapshot.addressesOfUnits(among: all).map(\.description).sorted() == ["10.1.0.1", "2001:db8::1"])
        #expect(snapshot.addressesOfUnits(among: []).isEmpty)
    }
}
