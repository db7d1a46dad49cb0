import PluginHost
import SallyportProtocol
import Support
import Testing

@Suite("Values of supervision")
struct ValueTests {
    @Test("pauses double from 250 ms to 30 s, each within 20 %, and begin anew after a reset")
    func backoff() {
        var generator = SplitMix64(seed: 1)
        var backoff = Backoff(first: .milliseconds(250), longest: .seconds(30))
        var expected = Duration.milliseconds(250)
        for _ in 0..<12 {
            let pause = backoff.next(using: &generator)
            #expect(pause >= expected * 0.8 && pause <= expected * 1.2)
            expected = min(expected * 2, .seconds(30))
        }
        #expect(expected == .seconds(30))
        backoff.reset()
        #expect(backoff.next(using: &generator) <= .milliseconds(300))
    }

    private func key(_ name: String) -> Sallyport_Policy_V1_ObjectKey { .with { $0.name = name } }
    private func upsert(_ name: String) -> Sallyport_Plugin_V1_PolicyEvent { .with { $0.upsert.key = key(name) } }
    private let complete = Sallyport_Plugin_V1_PolicyEvent.with { $0.complete.generation = 1 }

    @Test("removals and batches count in a mirror like single events")
    func mirror() {
        var mirror = PolicyMirror()
        mirror.restart()
        for event in [upsert("a"), upsert("b"), complete] { #expect(mirror.take(event) == [event]) }
        #expect(mirror.take(.with { $0.remove = key("b") }).count == 1)
        #expect(mirror.take(.with { $0.batch.upserts = [.with { $0.key = key("c") }] }).count == 1)
        mirror.restart()
        _ = mirror.take(upsert("c"))
        let events = mirror.take(complete)
        #expect(events == [.with { $0.batch.removes = [key("a")] }, complete])
        #expect(mirror.take(complete) == [complete])
        #expect(Set(mirror.removeAll().flatMap(\.batch.removes)) == [key("c")])
    }

    private func service(_ name: String, bytes: Int = 1) -> Sallyport_Plugin_V1_AdaptedService {
        .with {
            $0.key = key(name)
            $0.loadBalancer.hosts = [String(repeating: "x", count: bytes)]
        }
    }

    @Test("a book tells everything first, then the last of each change")
    func book() {
        var book = ServiceBook<Sallyport_Plugin_V1_UpdateServicesRequest>()
        book.apply(upserts: [service("a"), service("b")], removes: [], replaceAll: false)
        let first = book.take()
        #expect(first.count == 1 && first[0].replaceAll && Set(first[0].upserts.map(\.key.name)) == ["a", "b"])
        #expect(book.take().isEmpty)
        book.apply(upserts: [service("a", bytes: 2), service("c")], removes: [key("b")], replaceAll: false)
        book.apply(upserts: [], removes: [key("c")], replaceAll: false)
        let second = book.take()
        #expect(second.count == 1 && !second[0].replaceAll)
        #expect(second[0].upserts == [service("a", bytes: 2)] && Set(second[0].removes.map(\.name)) == ["b", "c"])
        book.startOver()
        #expect(book.take()[0].upserts.map(\.key.name) == ["a"])
        book.apply(upserts: [], removes: [], replaceAll: true)
        #expect(book.take() == [.with { $0.replaceAll = true }])
    }

    @Test("an update over 1 MiB goes in parts, of which only the first replaces")
    func parts() {
        var book = ServiceBook<Sallyport_Plugin_V1_UpdateServicesRequest>()
        book.apply(upserts: (0..<5).map { service("\($0)", bytes: 600_000) }, removes: [], replaceAll: false)
        let parts = book.take()
        #expect(parts.map(\.replaceAll) == [true, false, false])
        #expect(Set(parts.flatMap(\.upserts).map(\.key.name)) == ["0", "1", "2", "3", "4"])
    }

    private func publicService(_ name: String, _ mode: PublicTLSMode) -> Sallyport_Plugin_V1_PublicService {
        .with {
            $0.key = key(name)
            $0.tls.mode = mode
        }
    }

    @Test("services of public ports go to the owner of their mode, and leave it with their mode")
    func routing() {
        var routing = PublicPortRouting()
        var updates = routing.apply(upserts: [publicService("a", .internalCa), publicService("b", .none)], removes: [], replaceAll: false)
        #expect(updates.isEmpty)
        let internalCA = routing.claim([.internalCa], "ca", file: "20-ca.yaml")
        #expect(internalCA == .granted(services: [publicService("a", .internalCa)], losers: [:]))
        let both = routing.claim([.none, .customCertificate], "both", file: "30-both.yaml")
        #expect(both == .granted(services: [publicService("b", .none)], losers: [:]))
        // Between two modes of one owner it is a change, and no leaving.
        updates = routing.apply(upserts: [publicService("b", .customCertificate)], removes: [], replaceAll: false)
        #expect(updates == ["both": .init(upserts: [publicService("b", .customCertificate)])])
        updates = routing.apply(upserts: [publicService("b", .internalCa)], removes: [key("unknown")], replaceAll: false)
        #expect(updates == ["both": .init(removes: [key("b")]), "ca": .init(upserts: [publicService("b", .internalCa)])])
        updates = routing.apply(upserts: [publicService("c", .none)], removes: [], replaceAll: true)
        #expect(Set(updates["ca"]?.removes ?? []) == [key("a"), key("b")])
        #expect(updates["both"]?.upserts == [publicService("c", .none)])
    }

    @Test("a plugin that comes later takes a mode only from those whose drop-ins come after its own, and they lose all they had")
    func claims() {
        var routing = PublicPortRouting()
        _ = routing.claim([.none, .customCertificate], "b", file: "20-b.yaml")
        let late = routing.claim([.none], "c", file: "30-c.yaml")
        #expect(late == .refused(.none, by: "20-b.yaml"))
        // A restart claims again.
        let again = routing.claim([.none, .customCertificate], "b", file: "20-b.yaml")
        #expect(again == .granted(services: [], losers: [:]))
        let early = routing.claim([.none], "a", file: "10-a.yaml")
        #expect(early == .granted(services: [], losers: ["b": .none]))
        #expect(routing.owner(of: .none) == "a" && routing.owner(of: .customCertificate) == nil)
        routing.release("a")
        #expect(routing.owner(of: .none) == nil)
    }
}
