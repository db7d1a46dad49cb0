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
        var book = ServiceBook()
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
        var book = ServiceBook()
        book.apply(upserts: (0..<5).map { service("\($0)", bytes: 600_000) }, removes: [], replaceAll: false)
        let parts = book.take()
        #expect(parts.map(\.replaceAll) == [true, false, false])
        #expect(Set(parts.flatMap(\.upserts).map(\.key.name)) == ["0", "1", "2", "3", "4"])
    }
}
