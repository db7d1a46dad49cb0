import Identity
import PKI
import SallyportProtocol
import Support
import Testing

@Suite("Peers' certificates")
struct PeerVerifierTests {
    let authority: TestAuthority
    let now: Int64 = 1_800_000_000

    init() throws { authority = try TestAuthority(now: 1_800_000_000) }

    func verifier(_ authorities: TestAuthority...) throws -> PeerVerifier {
        try PeerVerifier(trust: TrustPool(generation: 1, trustDomain: "test.example", roots: authorities.flatMap { try $0.roots }))
    }

    @Test("a good chain gives the SPIFFE ID, namespace, name, tags and end")
    func good() throws {
        let unit = try authority.issue("/acme/shop", "web-1", tags: ["app=web"], now: now)
        let peer = try verifier(authority).verify(chain: unit.chain, now: now).get()
        #expect(peer.spiffeID == "spiffe://test.example/ns/acme/shop/pu/web-1")
        #expect(peer.namespace == "/acme/shop")
        #expect(peer.name == "web-1")
        #expect(peer.tags == ["$identity=processingunit", "$name=web-1", "$namespace=/acme/shop", "app=web"])
        #expect(peer.notAfter == now + 3600)
    }

    @Test("a unit of the root namespace is identified")
    func rootNamespace() throws {
        let unit = try authority.issue("/", "host", now: now)
        #expect(try verifier(authority).verify(chain: unit.chain, now: now).get().namespace == "/")
    }

    @Test("each bad certificate is refused for its own reason", arguments: CertificateFlaw.allCases)
    func bad(_ flaw: CertificateFlaw) throws {
        let unit = try authority.issue("/acme/shop", "web-1", flaw: flaw, now: now)
        let verifier = try verifier(authority)
        for _ in 0..<2 {
            let result = verifier.verify(chain: unit.chain, now: now)
            guard case .failure(let error) = result else {
                Issue.record("\(flaw) was accepted")
                return
            }
            #expect(error.reason == flaw.expected, "\(error)")
        }
    }

    @Test("an enforcer of /acme speaks for /acme and /acme/shop, and not for /acmex")
    func namespaces() throws {
        let limited = try TestAuthority(namespaces: ["/acme", "/x/y"], now: now)
        let verifier = try verifier(limited)
        for (namespace, accepted) in [("/acme", true), ("/acme/shop/eu", true), ("/acmex", false), ("/", false), ("/x", false), ("/x/y", true)] {
            let result = verifier.verify(chain: try limited.issue(namespace, "a", now: now).chain, now: now)
            #expect(((try? result.get()) != nil) == accepted, "\(namespace)")
        }
    }

    @Test("clocks may differ by five minutes either way, and by no more")
    func clockSkew() throws {
        let unit = try authority.issue("/", "a", now: now, lifetime: 600)
        let verifier = try verifier(authority)
        func reason(at time: Int64) -> Sallyport_Flow_V1_Reason? {
            if case .failure(let error) = verifier.verify(chain: unit.chain, now: time) { error.reason } else { nil }
        }
        for _ in 0..<2 {
            #expect(reason(at: unit.notBefore - 300) == nil)
            #expect(reason(at: unit.notBefore - 301) == .certificateNotYetValid)
            #expect(reason(at: unit.notAfter + 300) == nil)
            #expect(reason(at: unit.notAfter + 301) == .certificateExpired)
        }
    }

    @Test("the same chain gives the same object until time ends it, and a new pool starts afresh")
    func cache() throws {
        let unit = try authority.issue("/", "a", now: now, lifetime: 600)
        let verifier = try verifier(authority)
        let first = try verifier.verify(chain: unit.chain, now: now).get()
        #expect(try verifier.verify(chain: unit.chain, now: now + 600).get() === first)
        #expect(throws: IdentityError.self) { try verifier.verify(chain: unit.chain, now: now + 901).get() }
        let other = try TestAuthority(now: now)
        #expect(throws: IdentityError.self) { try self.verifier(other).verify(chain: unit.chain, now: now).get() }
    }

    @Test("more chains than the cache holds are all verified, and memory stays bounded")
    func cacheBound() throws {
        let verifier = try verifier(authority)
        for index in 0..<PeerVerifier.cacheCapacity + 10 {
            let unit = try authority.issue("/", "a\(index)", now: now)
            #expect(try verifier.verify(chain: unit.chain, now: now).get().name == "a\(index)")
            #expect(verifier.rememberedChains <= PeerVerifier.cacheCapacity)
        }
    }

    @Test("with the old and the new root trusted, chains of both are accepted; with one, only its own")
    func overlap() throws {
        let old = authority
        let new = try TestAuthority(now: now)
        let chains = try [old, new].map { try $0.issue("/", "a", now: now).chain }
        func accepted(_ verifier: PeerVerifier) -> [Bool] { chains.map { (try? verifier.verify(chain: $0, now: now).get()) != nil } }
        #expect(accepted(try verifier(old)) == [true, false])
        #expect(accepted(try verifier(new, old)) == [true, true])
        #expect(accepted(try verifier(new)) == [false, true])
    }

    @Test("a chain cut short at any byte is refused")
    func truncated() throws {
        let unit = try authority.issue("/", "a", tags: ["app=web"], now: now)
        let verifier = try verifier(authority)
        for certificate in 0..<2 {
            for length in 0..<unit.chain[certificate].count {
                var chain = unit.chain
                chain[certificate] = Array(chain[certificate][..<length])
                #expect(throws: IdentityError.self) { try verifier.verify(chain: chain, now: now).get() }
            }
        }
    }

    @Test("a chain with any one byte changed is refused")
    func mutated() throws {
        let unit = try authority.issue("/", "a", now: now)
        let verifier = try verifier(authority)
        for certificate in 0..<2 {
            for index in unit.chain[certificate].indices {
                var chain = unit.chain
                chain[certificate][index] ^= 0x01
                #expect(throws: IdentityError.self, "byte \(index) of certificate \(certificate)") {
                    try verifier.verify(chain: chain, now: now).get()
                }
            }
        }
    }
}

@Suite("Trust pools")
struct TrustPoolTests {
    @Test("a pool without roots, with garbage, or of two trust domains is refused")
    func bad() throws {
        let roots = try TestAuthority().roots
        #expect(throws: IdentityError.self) { try TrustPool(generation: 1, trustDomain: "test.example", roots: []) }
        #expect(throws: IdentityError.self) { try TrustPool(generation: 1, trustDomain: "test.example", roots: [[1, 2, 3]]) }
        #expect(throws: IdentityError.self) { try TrustPool(generation: 1, trustDomain: "other.example", roots: roots) }
        #expect(throws: IdentityError.self) {
            try TrustPool(generation: 1, trustDomain: "", roots: roots + TestAuthority(trustDomain: "other.example").roots)
        }
        #expect(try TrustPool(generation: 7, trustDomain: "", roots: roots).trustDomain == "test.example")
    }

    @Test("a leaf or an intermediate is no root")
    func notARoot() throws {
        let chain = try TestAuthority().issue("/", "a").chain
        for der in chain {
            #expect(throws: IdentityError.self) { try TrustPool(generation: 1, trustDomain: "test.example", roots: [der]) }
        }
    }
}

@Suite("Keys")
struct KeyPairTests {
    @Test("a new key can be certified, and each is another")
    func generate() throws {
        let first = try #require(KeyPair.generate()), second = try #require(KeyPair.generate())
        #expect(first.privateKey != second.privateKey)
        let unit = try TestAuthority().issue("/", "a", publicKey: first.publicKey)
        #expect(try LeafFacts(decoding: unit.chain[0]).spiffeID.name == "a")
    }

    @Test("digests are those of SHA-256 (FIPS 180-2, appendix B.1)")
    func digest() {
        #expect(SHA256Digest(of: Array("abc".utf8)).description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SHA256Digest(ofAll: [[1], [2, 3]]) != SHA256Digest(ofAll: [[1, 2], [3]]))
    }
}
