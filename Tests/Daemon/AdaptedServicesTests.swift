// Which adapter is told of which service.

import Daemon
import SallyportProtocol
import Testing

@Suite("Services of adapters")
struct AdaptedServicesTests {
    private func service(_ name: String, adapter: String = "") -> Sallyport_Policy_V1_Object {
        .with {
            $0.key = key(name)
            $0.tcpService.loadBalancer.adapter = adapter
            $0.tcpService.loadBalancer.port = 80
        }
    }

    private func key(_ name: String) -> Sallyport_Policy_V1_ObjectKey {
        .with {
            $0.kind = .tcpService
            $0.namespace = "/a"
            $0.name = name
        }
    }

    @Test("each adapter is told of the services that name it, and \"static\" of those that name none")
    func told() {
        var services = AdaptedServices()
        let changes = services.follow([service("one"), service("two", adapter: "haproxy"), service("three", adapter: "static")], removed: [])
        #expect(changes.count == 2)
        #expect(changes["static"]?.upserts.map(\.key.name) == ["one", "three"])
        #expect(changes["haproxy"]?.upserts.map(\.key.name) == ["two"])
        #expect(changes["haproxy"]?.upserts.first?.loadBalancer.port == 80)
        #expect(services.has("static", key("one")) && services.has("haproxy", key("two")))
        #expect(!services.has("haproxy", key("one")) && !services.has("static", key("four")))
    }

    @Test("a service that names another adapter is taken from the one before, which no longer speaks for it")
    func moved() {
        var services = AdaptedServices()
        _ = services.follow([service("one"), service("two")], removed: [])
        let changes = services.follow([service("one", adapter: "haproxy"), service("two")], removed: [])
        #expect(changes["static"]?.removes == [key("one")])
        #expect(changes["static"]?.upserts.map(\.key.name) == ["two"])
        #expect(changes["haproxy"]?.removes == [])
        #expect(changes["haproxy"]?.upserts.map(\.key.name) == ["one"])
        #expect(services.has("haproxy", key("one")) && !services.has("static", key("one")))
    }

    @Test("a service that is removed is taken from its adapter alone")
    func removed() {
        var services = AdaptedServices()
        _ = services.follow([service("one"), service("two", adapter: "haproxy")], removed: [])
        let changes = services.follow([], removed: [key("one"), key("unknown")])
        #expect(changes.count == 1 && changes["static"]?.removes == [key("one")])
        #expect(!services.has("static", key("one")) && services.has("haproxy", key("two")))
    }
}
