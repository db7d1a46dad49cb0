import Linux
import PKI
import PluginKit
import PluginSupport
import Support
import Testing

@Suite("The internal CA's certificates for public ports", .timeLimit(.minutes(1)))
struct PublicPortTests {
    let bench: PluginBench

    init() throws { bench = try PluginBench() }

    private func update(_ services: PublicService...) async throws {
        try await bench.plugin.updateServices(.with { $0.upserts = services })
    }

    private let service = publicService(mode: .internalCa, addresses: [[192, 0, 2, 1], [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]])

    private func files(_ certificate: PublicCertificate) throws {
        for (index, der) in certificate.chain.enumerated() { try write(Array(der), "\(index).der") }
        try write(Array(certificate.privateKey), "key.der")
        try bench.folder.write(ServiceFolder.bundle(at: bench.ca.directory), to: "bundle.pem")
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        let file = try Descriptor(opening: "\(bench.folder.path)/\(name)", flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try syscall("write") { Linux.write(file.raw, bytes, bytes.count) }
    }

    private func openssl(_ arguments: String, expecting status: Int32 = 0) async throws -> String {
        try await runProgram(["openssl"] + arguments.split(separator: " ").map { String($0).replacing("@", with: bench.folder.path) }, expecting: status)
    }

    @Test("openssl verifies it against the bundle by every name and address, for servers only, and with its key")
    func verified() async throws {
        try await bench.configure(bench.enforcer("node"))
        let watch = CertificateWatch(bench.plugin)
        try await update(service)
        let certificate = try await watch.certificate(of: "web")
        #expect(certificate.problem == "" && certificate.chain.count == 2)
        #expect(certificate.notAfter == bench.clock.now + 30 * 86400)
        try files(certificate)
        _ = try await openssl("x509 -inform DER -in @/1.der -out @/ca.pem")
        let verify = "verify -x509_strict -CAfile @/bundle.pem -untrusted @/ca.pem"
        for name in ["-verify_hostname web.example.org", "-verify_ip 192.0.2.1", "-verify_ip 2001:db8::1", "-purpose sslserver"] {
            #expect(try await openssl("\(verify) \(name) @/0.der").hasSuffix("OK\n"), "\(name)")
        }
        for name in ["-verify_hostname other.example.org", "-verify_ip 192.0.2.2", "-purpose sslclient"] {
            _ = try await openssl("\(verify) \(name) @/0.der", expecting: 2)
        }
        #expect(try await openssl("pkey -in @/key.der -inform DER -pubout") == openssl("x509 -in @/0.der -inform DER -noout -pubkey"))
        // What enforcers trust, and what they present, is another thing altogether.
        try bench.folder.write(bench.folder.read("ca/trust.pem"), to: "enforcers.pem")
        _ = try await openssl("verify -CAfile @/enforcers.pem -untrusted @/ca.pem @/0.der", expecting: 2)
        #expect(throws: PKIError.self) { try AuthorityFacts(decoding: Array(certificate.chain[1]), as: .enforcer) }
    }

    @Test("it is renewed when two thirds of its life are over, with a new key")
    func renewal() async throws {
        try await bench.configure(bench.enforcer("node"), serviceLifetime: "90h")
        let watch = CertificateWatch(bench.plugin)
        try await update(service)
        let first = try await watch.certificate(of: "web")
        #expect(first.notAfter == bench.clock.now + 90 * 3600)
        bench.clock.advance(60 * 3600 - 1)
        try await update(publicService("other", mode: .internalCa))
        _ = try await watch.certificate(of: "other")
        #expect(watch["web"] == first)
        bench.clock.advance(1)
        let second = try await watch.certificate(of: "web") { $0.chain != first.chain }
        #expect(second.privateKey != first.privateKey && second.notAfter == bench.clock.now + 90 * 3600)
        bench.clock.advance(60 * 3600)
        _ = try await watch.certificate(of: "web") { $0.notAfter == bench.clock.now + 90 * 3600 }
    }

    @Test("it is issued anew when names, addresses or the issuing CA change, and not otherwise")
    func changes() async throws {
        try await bench.configure(bench.enforcer("node"))
        let watch = CertificateWatch(bench.plugin)
        try await update(service)
        var before = try await watch.certificate(of: "web")
        for changed in [
            publicService(mode: .internalCa, hosts: ["web.example.org", "www.example.org"]),
            publicService(mode: .internalCa, hosts: ["web.example.org", "www.example.org"], addresses: [[192, 0, 2, 7]]),
        ] {
            try await update(changed)
            let after = try await watch.certificate(of: "web") { $0.chain != before.chain }
            #expect(after.problem == "")
            // The same again is no change.
            try await update(changed, publicService("other", mode: .internalCa))
            try await update(publicService("more-\(after.notAfter)-\(changed.addresses.count)", mode: .internalCa))
            _ = try await watch.certificate(of: "more-\(after.notAfter)-\(changed.addresses.count)")
            #expect(watch["web"] == after)
            before = after
        }
        _ = try bench.enforcer("node")
        let renewed = try await watch.certificate(of: "web") { $0.chain != before.chain }
        #expect(renewed.chain[1] != before.chain[1] && renewed.problem == "")
    }

    @Test("while a rotation overlaps, the bundle verifies certificates of both roots")
    func rotation() async throws {
        try await bench.configure(bench.enforcer("node"))
        let watch = CertificateWatch(bench.plugin)
        try await update(service)
        let before = try await watch.certificate(of: "web")
        let rotated = try bench.ca.rotate(now: bench.clock.now)
        let bundle = try ServiceFolder.bundle(at: bench.ca.directory)
        #expect(bundle.ranges(of: "BEGIN CERTIFICATE").count == 2)
        #expect(try ServiceFolder.bundle(at: bench.ca.directory + "/enforcers/node") == bundle)
        _ = try bench.enforcer("node")
        let after = try await watch.certificate(of: "web") { $0.chain != before.chain }
        for certificate in [before, after] {
            try files(certificate)
            _ = try await openssl("x509 -inform DER -in @/1.der -out @/ca.pem")
            #expect(try await openssl("verify -CAfile @/bundle.pem -untrusted @/ca.pem @/0.der").hasSuffix("OK\n"))
        }
        _ = try rotated.retire(now: bench.clock.now)
        #expect(try ServiceFolder.bundle(at: bench.ca.directory).ranges(of: "BEGIN CERTIFICATE").count == 1)
    }

    @Test("a folder without the CA of public ports still identifies enforcers, and says which command mends the rest")
    func olderFolder() async throws {
        let node = try bench.enforcer("node")
        for name in ["service-root.pem", "service-root.key", "service-trust.pem"] { unlink("\(bench.ca.directory)/\(name)") }
        for name in ["service-intermediate.pem", "service-key.pem", "service-trust.pem"] { unlink("\(node)/\(name)") }
        try await bench.configure(node)
        #expect(await bench.plugin.health() == .ready)
        _ = try await bench.plugin.issue(bench.request())
        let watch = CertificateWatch(bench.plugin)
        try await update(service)
        let missing = try await watch.certificate(of: "web")
        #expect(missing.chain.isEmpty)
        #expect(missing.problem.contains("holds no CA for public ports") && missing.problem.contains("run `sallyport ca enforcer NAME`"))
        #expect(watch.completes == 1)
        // That command, with the namespaces as they were, makes the root too.
        try CertificateAuthority(at: bench.ca.directory).issueEnforcer("node", now: bench.clock.now)
        let mended = try await watch.certificate(of: "web") { !$0.chain.isEmpty }
        #expect(mended.problem == "")
    }

    @Test("what is wrong with its files leaves the certificate in force and the enforcers' part alone; it shows until it is mended")
    func faults() async throws {
        let node = try bench.enforcer("node")
        try await bench.configure(node)
        let watch = CertificateWatch(bench.plugin)
        try await update(service)
        let before = try await watch.certificate(of: "web")
        for (file, rubbish) in [("service-key.pem", "rubbish"), ("service-trust.pem", ""), ("service-intermediate.pem", "rubbish")] {
            let text = try bench.folder.read("ca/enforcers/node/\(file)")
            try bench.folder.write(rubbish, to: "ca/enforcers/node/\(file)", mode: 0o600)
            let wrong = try await watch.certificate(of: "web") { !$0.problem.isEmpty }
            #expect(wrong.problem.contains(file) && wrong.chain == before.chain && wrong.privateKey == before.privateKey)
            #expect(await bench.plugin.health() == .ready)
            try bench.folder.write(text, to: "ca/enforcers/node/\(file)", mode: 0o600)
            _ = try await watch.certificate(of: "web") { $0 == before }
        }
        chmod("\(node)/service-key.pem", 0o644)
        #expect(try await watch.certificate(of: "web") { !$0.problem.isEmpty }.problem.contains("chmod 600"))
    }

    @Test("nothing is issued past the intermediate's end, and a service without a name says so")
    func limits() async throws {
        try await bench.configure(bench.enforcer("node", lifetime: 86400))
        let watch = CertificateWatch(bench.plugin)
        try await update(service, publicService("nameless", mode: .internalCa, hosts: []), publicService("odd", mode: .internalCa, hosts: ["a b"]))
        let last = try await watch.certificate(of: "web")
        #expect(last.notAfter == bench.clock.now + 86400)
        #expect(watch["nameless"]?.problem.contains("give it one in loadBalancer.hosts") == true)
        #expect(watch["odd"]?.problem.contains("is no DNS name") == true)
        bench.clock.advance(86400)
        let ended = try await watch.certificate(of: "web") { !$0.problem.isEmpty }
        #expect(ended.problem.contains("has expired; renew it with `sallyport ca enforcer") && ended.chain == last.chain)
    }
}
