// Which frontends hold at which second: answers, failures, grace, retries, on a clock made of numbers.

import Linux
import PluginKit
import SallyportProtocol
import Testing

/// A class, since most of what is asserted changes the table on the way.
@Suite final class FrontendTableTests {
    private var table = FrontendTable()

    /// A TTL, and the seconds until the next question.
    private static let lifetimes: [(UInt32, Int64)] = [(0, 1), (1, 1), (100, 100), (7200, 3600), (UInt32.max, 3600)]

    private func service(_ name: String, hosts: [String] = [], addresses: [String] = [], port: UInt32 = 9376) -> Sallyport_Plugin_V1_AdaptedService {
        .with {
            $0.key = key(name)
            $0.loadBalancer.hosts = hosts
            $0.loadBalancer.addresses = addresses
            $0.loadBalancer.port = port
        }
    }

    private func key(_ name: String) -> Sallyport_Policy_V1_ObjectKey {
        .with { $0.kind = .tcpService; $0.namespace = "/acme"; $0.name = name }
    }

    private func answer(_ texts: [String], ttl: UInt32 = 100) -> NameAnswer {
        let addresses = texts.map { IPAddress($0)! }  // literals
        func family(_ isV4: Bool) -> NameAnswer.Family {
            let own = addresses.filter { $0.isV4 == isV4 }
            return own.isEmpty ? .none(.noRecord) : .addresses(own, ttl: ttl)
        }
        return NameAnswer(v4: family(true), v6: family(false))
    }

    private let failed = NameAnswer(v4: .failed("no name server gave an answer"), v6: .failed("no name server gave an answer"))

    /// "192.0.2.1/32:9376 web.example.com, …; problem"
    private func shown(_ name: String) -> String {
        guard let message = table.state[key(name)] else { return "unknown" }
        let frontends = message.frontends.map { frontend in
            let address = IPAddress(bytes: frontend.address).map { "\($0)" } ?? "?"
            return "\(address)/\(frontend.prefixLength):\(frontend.port)" + (frontend.host.isEmpty ? "" : " \(frontend.host)")
        }.joined(separator: ", ")
        return message.problem.isEmpty ? frontends : "\(frontends); \(message.problem)"
    }

    private func update(_ services: Sallyport_Plugin_V1_AdaptedService..., removes: [String] = [], replaceAll: Bool = false, at now: Int64 = 0) {
        let removes = removes.map(key)
        table.update(.with { $0.upserts = services; $0.removes = removes; $0.replaceAll = replaceAll }, at: now)
        table.advance(to: now)
    }

    /// Moves on to `now` and answers whatever is asked there.
    /// - Returns: Whether anything was.
    @discardableResult
    private func ask(at now: Int64, _ answer: NameAnswer) -> Bool {
        table.advance(to: now)
        var isAsked = false
        while let name = table.nextQuestion() {
            isAsked = true
            table.learn(answer, of: name, at: now)
        }
        return isAsked
    }

    @Test("addresses and CIDRs of both families are frontends at once, and no question is asked")
    func addresses() {
        update(service("web", addresses: ["10.96.0.10", "2001:db8::/64", "10.0.0.0/8", "10.96.0.10/32"]))
        #expect(shown("web") == "10.96.0.10/32:9376, 2001:db8::/64:9376, 10.0.0.0/8:9376")
        #expect(table.nextQuestion() == nil && table.deadline == nil)
    }

    @Test("a name has no frontends until it is answered, and says so; what is listed as address does not wait")
    func names() {
        update(service("web", hosts: ["Web.Example.com."], addresses: ["10.96.0.10"]))
        #expect(shown("web") == "10.96.0.10/32:9376; Web.Example.com.: is being resolved")
        #expect(table.nextQuestion() == "web.example.com")
        table.learn(answer(["192.0.2.1", "2001:db8::1"]), of: "web.example.com", at: 0)
        #expect(shown("web") == "10.96.0.10/32:9376, 192.0.2.1/32:9376 Web.Example.com., 2001:db8::1/128:9376 Web.Example.com.")
    }

    @Test("a name is asked for again when its TTL is over, and not before", arguments: lifetimes)
    func ttl(ttl: UInt32, seconds: Int64) {
        update(service("web", hosts: ["a.example"]))
        ask(at: 0, answer(["192.0.2.1"], ttl: ttl))
        #expect(table.deadline == seconds)
        #expect(seconds == 1 || !ask(at: seconds - 1, failed))
        #expect(ask(at: seconds, answer(["192.0.2.1"])))
    }

    @Test("an address that DNS no longer names stays for the grace, and one that comes back stays for good")
    func grace() {
        update(service("web", hosts: ["a.example"]))
        ask(at: 0, answer(["192.0.2.1", "192.0.2.2"]))
        ask(at: 100, answer(["192.0.2.3"]))
        #expect(shown("web") == "192.0.2.1/32:9376 a.example, 192.0.2.2/32:9376 a.example, 192.0.2.3/32:9376 a.example")
        #expect(table.deadline == 160)
        table.advance(to: 159)
        ask(at: 159, answer([]))
        #expect(shown("web").hasPrefix("192.0.2.1/32"))
        table.advance(to: 160)
        #expect(shown("web") == "192.0.2.3/32:9376 a.example")
        ask(at: 200, answer(["192.0.2.4"], ttl: 30))
        ask(at: 230, answer(["192.0.2.3", "192.0.2.4"]))
        table.advance(to: 329)
        #expect(shown("web") == "192.0.2.3/32:9376 a.example, 192.0.2.4/32:9376 a.example")
    }

    @Test("a failure keeps the last good addresses for as long as it lasts, and is told until it is over")
    func failure() {
        update(service("web", hosts: ["a.example"]))
        ask(at: 0, answer(["192.0.2.1"]))
        #expect(ask(at: 100, failed))
        #expect(shown("web") == "192.0.2.1/32:9376 a.example; a.example: no name server gave an answer; its last addresses stay")
        // Far beyond TTL and grace.
        var now: Int64 = 100
        while now < 10_000, let next = table.deadline { now = next; ask(at: now, failed) }
        #expect(shown("web").hasPrefix("192.0.2.1/32:9376 a.example;"))
        while let next = table.deadline, !ask(at: next, answer(["192.0.2.2"])) {}
        #expect(shown("web") == "192.0.2.1/32:9376 a.example, 192.0.2.2/32:9376 a.example")
    }

    @Test("failures are retried after 1, 2, 4 … 30 s, and an answer starts that anew")
    func retries() {
        update(service("web", hosts: ["a.example"]))
        var now: Int64 = 0
        var waits: [Int64] = []
        for _ in 0..<8 {
            #expect(ask(at: now, failed))
            let next = table.deadline ?? -1
            waits.append(next - now)
            now = next
        }
        #expect(waits == [1, 2, 4, 8, 16, 30, 30, 30])
        #expect(shown("web") == "; a.example: no name server gave an answer")
        ask(at: now, answer(["192.0.2.1"], ttl: 5))
        ask(at: now + 5, failed)
        #expect(table.deadline == now + 6)
    }

    @Test("a name that has ceased to exist keeps its last addresses, with a problem")
    func ceased() {
        update(service("web", hosts: ["a.example"]))
        ask(at: 0, answer(["192.0.2.1"]))
        ask(at: 100, NameAnswer(v4: .none(.noSuchName), v6: .none(.noSuchName)))
        table.advance(to: 1000)
        #expect(shown("web") == "192.0.2.1/32:9376 a.example; a.example: no such name exists; its last addresses stay")
    }

    @Test("when one family is not answered, its addresses stay while the other's change")
    func halfAnswered() {
        update(service("web", hosts: ["a.example"]))
        ask(at: 0, answer(["192.0.2.1", "2001:db8::1"]))
        ask(at: 100, NameAnswer(v4: answer(["192.0.2.2"]).v4, v6: .failed("no name server gave an answer")))
        table.advance(to: 160)
        #expect(shown("web") == "192.0.2.2/32:9376 a.example, 2001:db8::1/128:9376 a.example; a.example: no name server gave an answer; its last addresses stay")
    }

    @Test("a name that two services share is asked for once, and both learn")
    func shared() {
        update(service("web", hosts: ["a.example"]), service("api", hosts: ["A.EXAMPLE"], port: 443))
        #expect(table.nextQuestion() == "a.example")
        #expect(table.nextQuestion() == nil)
        table.learn(answer(["192.0.2.1"]), of: "a.example", at: 0)
        #expect(shown("web") == "192.0.2.1/32:9376 a.example" && shown("api") == "192.0.2.1/32:443 A.EXAMPLE")
    }

    @Test("a service that goes takes its names along, unless another has them")
    func removal() {
        update(service("web", hosts: ["a.example"]), service("api", hosts: ["a.example", "b.example"]))
        ask(at: 0, answer(["192.0.2.1"]))
        update(removes: ["api"])
        #expect(shown("api") == "unknown" && shown("web") == "192.0.2.1/32:9376 a.example")
        #expect(ask(at: 100, answer(["192.0.2.1"])))
        update(service("db", addresses: ["10.0.0.1"]), replaceAll: true, at: 100)
        #expect(shown("web") == "unknown" && shown("db") == "10.0.0.1/32:9376")
        #expect(!ask(at: 1000, failed) && table.nextQuestion() == nil)
    }

    @Test("a name that moves to another service in one update keeps its addresses")
    func moved() {
        update(service("web", hosts: ["a.example"]))
        ask(at: 0, answer(["192.0.2.1"]))
        update(service("api", hosts: ["a.example"]), removes: ["web"], at: 10)
        #expect(shown("api") == "192.0.2.1/32:9376 a.example")
    }

    @Test("an answer for a name that has gone meanwhile changes nothing; one that came back waits for it")
    func lateAnswer() {
        update(service("web", hosts: ["a.example"]))
        #expect(table.nextQuestion() == "a.example")
        update(removes: ["web"])
        update(service("web", hosts: ["a.example"]), at: 1)
        #expect(table.nextQuestion() == nil)
        table.learn(answer(["192.0.2.1"]), of: "a.example", at: 2)
        #expect(shown("web") == "192.0.2.1/32:9376 a.example")
        update(removes: ["web"])
        table.learn(answer(["192.0.2.2"]), of: "a.example", at: 3)
        #expect(shown("web") == "unknown")
    }

    @Test("a service with more addresses than fit a message keeps what fits, and says so")
    func tooMany() throws {
        update(service("web", addresses: (0..<120_000).map { "10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)" }))
        let message = try #require(table.state[key("web")])
        #expect(try (message.serializedBytes() as [UInt8]).count < 4 << 20 && message.frontends.count > 80_000)
        #expect(message.problem == "has more frontends than \(message.frontends.count); list fewer, or CIDRs")
    }

    @Test("a name with other addresses each second stays bounded, and its newest addresses hold")
    func rotating() {
        table.use(.init(minimumTTL: 1, maximumTTL: 1, grace: 86400))
        update(service("web", hosts: ["a.example"]))
        for second in 0..<10 {
            let fresh = (0..<1000).map { "10.\(second).\($0 / 250).\($0 % 250)" }
            #expect(ask(at: Int64(second), answer(fresh, ttl: 1)))
        }
        let frontends = table.state[key("web")]?.frontends ?? []
        #expect(frontends.count == 4096)
        #expect(frontends.count { $0.address.starts(with: [10, 9]) } == 1000)
        #expect(frontends.count { $0.address.starts(with: [10, 0]) } == 0)
    }
}
