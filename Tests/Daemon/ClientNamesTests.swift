// What the daemon keeps of clients' names, second by second.

import Daemon
import Linux
import Testing

@Suite("Names of clients")
struct ClientNamesTests {
    private let client = IPAddress(v4: 0xc000_0201)

    private func clientNames() -> ClientNames {
        var names = ClientNames()
        names.use(domains: ["partner.example"])
        return names
    }

    private func answer(_ found: String..., ttl: UInt32 = 10, grace: UInt32 = 5, problem: String = "") -> ClientNames.Response {
        .with {
            $0.names = found
            $0.ttlSeconds = ttl
            $0.graceSeconds = grace
            $0.problem = problem
        }
    }

    @Test("a name below a wildcard is kept for its TTL, is due then, and is gone after the grace period if nobody asks")
    func lifeOfAName() {
        var names = clientNames()
        #expect(names.ask(client, at: 0) == nil && names.nextQuestion(at: 0) == client)
        #expect(names.learn(answer("a.partner.example"), of: client, at: 1) == nil)
        #expect(names.names == [client: ["a.partner.example"]])
        #expect(names.ask(client, at: 10) == nil && names.nextQuestion(at: 10) == nil)
        #expect(names.turn(to: 10) == "nothing")
        #expect(names.turn(to: 11) == "due")
        #expect(names.turn(to: 12) == "nothing")
        #expect(names.turn(to: 15) == "nothing" && names.names[client] != nil)
        #expect(names.turn(to: 16) == "gone" && names.names.isEmpty)
    }

    @Test("a name that is in use is asked for again when it is due, and holds anew")
    func refreshed() {
        var names = clientNames()
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client && names.learn(answer("a.partner.example"), of: client, at: 0) == nil)
        #expect(names.turn(to: 10) == "due")
        #expect(names.ask(client, at: 11) == nil && names.nextQuestion(at: 11) == client)
        #expect(names.learn(answer("b.partner.example"), of: client, at: 11) == nil && names.names[client] == ["b.partner.example"])
        #expect(names.turn(to: 20) == "nothing" && names.turn(to: 21) == "due")
    }

    @Test("while the name server is silent a known name lives on to the end of its grace, and is tried again meanwhile")
    func silence() {
        var names = clientNames()
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client && names.learn(answer("a.partner.example", grace: 20), of: client, at: 0) == nil)
        #expect(names.turn(to: 10) == "due")
        _ = names.ask(client, at: 10)
        #expect(names.nextQuestion(at: 13) == client && names.learn(answer(problem: "is away"), of: client, at: 13) == nil)
        #expect(names.turn(to: 13 + ClientNames.retry - 1) == "nothing" && names.turn(to: 13 + ClientNames.retry) == "due")
        #expect(names.names[client] != nil)
        #expect(names.turn(to: 30) == "gone")
    }

    @Test("a name that has left DNS holds for the grace period from then, however often that is confirmed")
    func left() {
        var names = clientNames()
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client && names.learn(answer("a.partner.example", ttl: 1), of: client, at: 0) == nil)
        #expect(names.turn(to: 1) == "due")
        for now: Int64 in [1, 2, 3] {
            _ = names.ask(client, at: now)
            #expect(names.nextQuestion(at: now) == client && names.learn(answer(ttl: 1), of: client, at: now) == nil && names.names[client] != nil)
        }
        #expect(names.turn(to: 5) != "gone")
        #expect(names.turn(to: 6) == "gone")
    }

    @Test("an address without a name is not asked for again for its TTL, at most a minute; one whose answer did not come, for a moment")
    func nameless() {
        var names = clientNames()
        for (ttl, kept) in [(10, 10), (3600, ClientNames.longestNameless), (0, 1)] as [(UInt32, Int64)] {
            var names = clientNames()
            _ = names.ask(client, at: 0)
            #expect(names.nextQuestion(at: 0) == client)
            let nameless = names.learn(answer("partner.example", "a.other.example", "notpartner.example", ttl: ttl), of: client, at: 0)
            #expect(nameless?.until == kept && nameless?.isCertain == true)
            #expect(names.ask(client, at: kept - 1) == nameless && names.nextQuestion(at: kept - 1) == nil)
            #expect(names.ask(client, at: kept) == nil && names.nextQuestion(at: kept) == client)
        }
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client)
        let unknown = names.learn(answer("a.other.example", ttl: 100, problem: "is away"), of: client, at: 0)
        #expect(unknown?.until == ClientNames.retry && unknown?.isCertain == false)
    }

    @Test("a wildcard that is new asks again for whoever had no name")
    func newWildcard() {
        var names = clientNames()
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client && names.learn(answer("a.other.example"), of: client, at: 0)?.isCertain == true)
        names.use(domains: ["partner.example"])
        #expect(names.ask(client, at: 1) != nil)
        names.use(domains: ["partner.example", "other.example"])
        #expect(names.ask(client, at: 1) == nil && names.nextQuestion(at: 1) == client)
        #expect(names.learn(answer("a.other.example"), of: client, at: 1) == nil && names.names[client] == ["a.other.example"])
    }

    @Test("so many questions are open at once and so many addresses wait; each is asked for once, and who comes then is told that it cannot be found out")
    func bounds() {
        var names = clientNames()
        for number in 0..<UInt32(ClientNames.mostWaiting) { for _ in 0..<2 { #expect(names.ask(IPAddress(v4: number), at: 0) == nil) } }
        let full = names.ask(client, at: 0)
        #expect(full?.until == 1 && full?.isCertain == false)
        var open: [IPAddress] = []
        while let address = names.nextQuestion(at: 0) { open.append(address) }
        #expect(open.count == ClientNames.mostQuestions)
        #expect(names.ask(client, at: 0) == nil)
        var answered = 0
        while let address = open.popLast() {
            _ = names.learn(answer(), of: address, at: 0)
            answered += 1
            if let next = names.nextQuestion(at: 0) { open.append(next) }
        }
        #expect(answered == ClientNames.mostWaiting + 1)
    }

    @Test("who has waited for as long as a connection does is not asked for, makes room, and may come again")
    func overdue() {
        var names = clientNames()
        for number in 0..<UInt32(ClientNames.mostWaiting) { _ = names.ask(IPAddress(v4: number), at: 0) }
        #expect(names.ask(client, at: ClientNames.longestWait - 1)?.isCertain == false)
        #expect(names.ask(client, at: ClientNames.longestWait) == nil && names.nextQuestion(at: ClientNames.longestWait) == client)
        #expect(names.nextQuestion(at: ClientNames.longestWait) == nil)
        #expect(names.ask(IPAddress(v4: 0), at: ClientNames.longestWait) == nil && names.nextQuestion(at: ClientNames.longestWait) == IPAddress(v4: 0))
    }

    @Test("names in use are asked for again before any newcomers, however many of these wait")
    func known() {
        var names = clientNames()
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client && names.learn(answer("a.partner.example"), of: client, at: 0) == nil)
        for number in 0..<UInt32(2 * ClientNames.mostWaiting) { _ = names.ask(IPAddress(v4: number), at: 10) }
        #expect(names.ask(client, at: 10) == nil && names.nextQuestion(at: 10) == client)
    }

    @Test("names in use whose name servers are silent leave some questions to newcomers")
    func renewals() {
        var names = clientNames()
        let known = (0..<UInt32(2 * ClientNames.mostQuestions)).map { IPAddress(v4: $0) }
        for address in known {
            _ = names.ask(address, at: 0)
            #expect(names.nextQuestion(at: 0) == address && names.learn(answer("a.partner.example"), of: address, at: 0) == nil)
        }
        for address in known { _ = names.ask(address, at: 10) }
        var open: [IPAddress] = []
        while let address = names.nextQuestion(at: 10) { open.append(address) }
        #expect(open == Array(known[..<ClientNames.mostRenewals]))
        _ = names.ask(client, at: 10)
        #expect(names.nextQuestion(at: 10) == client && names.nextQuestion(at: 10) == nil)
        // An answer makes room for the next.
        _ = names.learn(answer(problem: "is away"), of: open[0], at: 10)
        #expect(names.nextQuestion(at: 10) == known[ClientNames.mostRenewals])
    }

    @Test("that names are due is told again while nobody has asked for them: whoever did may not have been heard")
    func toldAgain() {
        var names = clientNames()
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client && names.learn(answer("a.partner.example", grace: 60), of: client, at: 0) == nil)
        #expect(names.turn(to: 10) == "due" && names.turn(to: 10 + ClientNames.retry - 1) == "nothing" && names.turn(to: 10 + ClientNames.retry) == "due")
    }

    @Test("past the most addresses nobody new is known by name, and those that are stay")
    func full() {
        var names = clientNames()
        for number in 0..<UInt32(ClientNames.mostAddresses) {
            _ = names.ask(IPAddress(v4: number), at: 0)
            if let address = names.nextQuestion(at: 0) { _ = names.learn(answer("a.partner.example"), of: address, at: 0) }
        }
        #expect(names.names.count == ClientNames.mostAddresses)
        _ = names.ask(client, at: 0)
        #expect(names.nextQuestion(at: 0) == client)
        #expect(names.learn(answer("a.partner.example"), of: client, at: 0)?.isCertain == false && names.names[client] == nil)
        #expect(names.names[IPAddress(v4: 0)] != nil)
    }
}

extension ClientNames {
    /// What becomes of the one client at a second.
    fileprivate mutating func turn(to now: Int64) -> String {
        let (gone, due) = advance(to: now)
        return gone.isEmpty ? due.isEmpty ? "nothing" : "due" : "gone"
    }
}
