import DataPath
import Daemon
import SallyportProtocol
import Testing

@Suite("What public ports serve")
struct PublicCertificatesTests {
    private typealias Object = Sallyport_Policy_V1_Object
    private typealias Event = Sallyport_Plugin_V1_CertificatesEvent

    private let key = Sallyport_Policy_V1_ObjectKey.with {
        $0.kind = .tcpService
        $0.namespace = "/acme"
        $0.name = "web"
    }

    private func service(_ mode: Sallyport_Policy_V1_TCPService.TLS.Mode, publicPort: UInt32 = 8003, disabled: Bool = false) -> Object {
        .with {
            $0.key = key
            $0.tcpService.publicPort = publicPort
            $0.tcpService.disabled = disabled
            $0.tcpService.tls.mode = mode
            $0.tcpService.loadBalancer.hosts = ["web.example.org"]
            $0.tcpService.loadBalancer.addresses = ["192.0.2.1", "192.0.2.2/32", "192.0.2.0/24", "2001:db8::1", "2001:db8::/64"]
        }
    }

    private func event(chain: [UInt8] = [], problem: String = "", passthrough: Bool = false) -> Event {
        .with {
            $0.changed = [
                .with {
                    $0.service = key
                    $0.chain = chain.isEmpty ? [] : [.init(chain)]
                    $0.privateKey = .init(chain)
                    $0.notAfter = Int64(chain.first ?? 0)
                    $0.problem = problem
                    $0.passthrough = passthrough
                }
            ]
        }
    }

    private func credentials(_ byte: UInt8) -> PublicCredentials { PublicCredentials(chain: [[byte]], privateKey: [byte], notAfter: Int64(byte)) }

    @Test("plugins are told of names and single addresses, not of blocks")
    func told() throws {
        var certificates = PublicCertificates()
        let told = certificates.follow([service(.internalCa)], removed: [])
        let service = try #require(told.upserts.first)
        #expect(service.hosts == ["web.example.org"])
        #expect(service.addresses.map(\.count) == [4, 4, 16])
        #expect(told.removes.isEmpty)
    }

    @Test("a problem without a certificate leaves the last good one in force, and a good one ends the problem")
    func lastGood() {
        var certificates = PublicCertificates()
        _ = certificates.follow([service(.customCertificate)], removed: [])
        #expect(certificates.problems { _ in nil }[key] == "nothing to serve yet; see sallyport plugins")
        #expect(certificates.problems { _ in "no plugin" }[key] == "no plugin")
        #expect(certificates.credentials.isEmpty)
        let changed1 = certificates.take(event(chain: [1]), from: "custom")
        #expect(changed1)
        #expect(certificates.credentials == ["/acme/web": credentials(1)])
        let unchanged2 = !certificates.take(event(problem: "the key does not match"), from: "custom")
        #expect(unchanged2)
        #expect(certificates.credentials == ["/acme/web": credentials(1)])
        #expect(certificates.problems { _ in nil } == [key: "custom: the key does not match"])
        let changed3 = certificates.take(event(chain: [2]), from: "custom")
        #expect(changed3)
        #expect(certificates.problems { _ in nil }.isEmpty)
        #expect(certificates.credentials == ["/acme/web": credentials(2)])
        let unchanged4 = !certificates.take(event(), from: "custom")
        #expect(unchanged4)
        #expect(certificates.problems { _ in nil }[key] == "custom: brought neither a certificate with its key nor what is wrong")
    }

    @Test("what was served in one mode is not served in another")
    func mode() {
        var certificates = PublicCertificates()
        _ = certificates.follow([service(.customCertificate)], removed: [])
        _ = certificates.take(event(chain: [1]), from: "custom")
        #expect(certificates.follow([service(.customCertificate)], removed: []).upserts.count == 1)
        #expect(certificates.credentials.count == 1)
        _ = certificates.follow([service(.none)], removed: [])
        #expect(certificates.credentials.isEmpty)
        let changed5 = certificates.take(event(passthrough: true), from: "none")
        #expect(changed5)
        #expect(certificates.credentials == ["/acme/web": .passthrough])
    }

    @Test("a service that goes, is disabled or has no public port any longer serves nothing, and plugins are told once", arguments: [0, 1, 2])
    func gone(_ how: Int) {
        var certificates = PublicCertificates()
        _ = certificates.follow([service(.customCertificate)], removed: [])
        _ = certificates.take(event(chain: [1]), from: "custom")
        for removes in [[key], []] {
            let told =
                switch how {
                case 0: certificates.follow([], removed: [key])
                case 1: certificates.follow([service(.customCertificate, publicPort: 0)], removed: [])
                default: certificates.follow([service(.customCertificate, disabled: true)], removed: [])
                }
            #expect(told.upserts.isEmpty && told.removes == removes)
            #expect(certificates.credentials.isEmpty && certificates[key] == nil)
        }
        let unchanged6 = !certificates.take(event(chain: [1]), from: "custom")
        #expect(unchanged6)
    }
}
