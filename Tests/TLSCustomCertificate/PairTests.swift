import Linux
import PluginKit
import PluginSupport
import Support
import TLSCustomCertificate
import Testing

/// A plugin on a clock that stands, with one watch of it.
final class CustomBench: Sendable {
    let plugin: TLSCustomCertificate
    let clock = ManualClock(clinux_realtime() / 1_000_000_000)
    let watch: CertificateWatch
    private let thread: SerialThread

    init() throws {
        thread = try SerialThread(name: "test")
        plugin = TLSCustomCertificate(host: PluginHostHandle(thread: thread) { _, _ in }, clock: clock.clock)
        watch = CertificateWatch(plugin)
    }

    deinit {
        let plugin = plugin, thread = thread
        Task {
            await plugin.shutdown()
            thread.stop()
        }
    }

    /// What the plugin says of a certificate and key as policy has them.
    func serve(_ certificate: String, _ key: String, _ name: String = "web") async throws -> PublicCertificate {
        let service = publicService(name, mode: .customCertificate, certificate: certificate, key: key)
        try await plugin.updateServices(.with { $0.upserts = [service] })
        return try await watch.certificate(of: name)
    }
}

@Suite("A certificate and its key", .timeLimit(.minutes(2)))
struct PairTests {
    @Test("RSA and ECDSA are served, from PKCS#8 and from the older forms, with the chain in its order", arguments: ["EC", "P-384", "RSA:2048", "RSA:3072"])
    func kinds(_ kind: String) async throws {
        let files = try await CertificateFiles(key: kind)
        let bench = try CustomBench()
        let old = kind.hasPrefix("RSA") ? "rsa -traditional" : "ec"
        try await files.openssl("\(old) -in leaf.key -out old.key")
        for key in ["leaf.key", "old.key"] {
            let served = try await bench.serve(files.read("leaf.pem", "ca.pem"), files.read(key), key)
            #expect(served.problem == "")
            #expect(served.chain.count == 2 && !served.passthrough)
            #expect(served.notAfter > bench.clock.now + 89 * 86400 && served.notAfter <= bench.clock.now + 91 * 86400)
            // openssl reads what is served, and finds the same public key in both.
            try files.folder.write(pem(Array(served.privateKey), "PRIVATE KEY"), to: "served.key")
            try files.folder.write(pem(Array(served.chain[0]), "CERTIFICATE"), to: "served.pem")
            #expect(try await files.openssl("pkey -in served.key -pubout") == files.openssl("x509 -in served.pem -noout -pubkey"))
            #expect(try await files.openssl("pkey -in served.key -outform DER -out again.key") == "")
        }
    }

    private func pem(_ der: [UInt8], _ label: String) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: der.count, by: 3) {
            let part = der[start..<min(start + 3, der.count)]
            let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < part.count ? Int(der[start + $1]) : 0) }
            for index in 0..<4 { text.append(index <= part.count ? digits[bits >> (18 - 6 * index) & 63] : "=") }
        }
        return "-----BEGIN \(label)-----\n\(text)\n-----END \(label)-----\n"
    }

    @Test("text around the blocks, curve parameters before a key, the root at the end and CRLF change nothing")
    func surroundings() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        try await files.openssl("ec -in leaf.key -out old.key")
        try await files.openssl("ecparam -name prime256v1 -out parameters.pem")
        let certificate = try "subject=CN = leaf\n" + files.read("leaf.pem") + "\n# the issuer\n" + files.read("ca.pem", "root.pem")
        let crlf = certificate.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        let served = try await bench.serve(crlf, files.read("parameters.pem", "old.key"))
        #expect(served.problem == "" && served.chain.count == 3)
    }

    @Test("each fault has a sentence of its own")
    func faults() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        try await files.make("other", below: "ca", key: "EC")
        try await files.make("edwards", below: "ca", key: "ED25519")
        try await files.make("p521", below: "ca", key: "P-521")
        try await files.make("short", below: "ca", key: "RSA:1024")
        try await files.openssl("pkey -in leaf.key -aes256 -passout pass:secret -out encrypted.key")
        try await files.openssl("ec -in leaf.key -aes256 -passout pass:secret -out legacy.key")
        let (leaf, ca, root, key) = (try files.read("leaf.pem"), try files.read("ca.pem"), try files.read("root.pem"), try files.read("leaf.key"))
        let damaged = leaf.replacing("MII", with: "AAA")
        let cases: [(String, String, String)] = [
            ("", key, "tls.certificate is missing: give PEM, or file: and an absolute path"),
            (leaf + ca, "", "tls.key is missing: give PEM, or file: and an absolute path"),
            ("rubbish", key, "tls.certificate holds no certificate in PEM"),
            (key, key, "tls.certificate holds no certificate in PEM"),
            (leaf + ca, leaf, "tls.key holds no private key in PEM"),
            (leaf + ca, key + key, "tls.key holds 2 private keys; leave the one of the certificate"),
            (leaf + ca, try files.read("other.key"), "the key in tls.key is not that of the certificate \"CN=leaf\" in tls.certificate"),
            (ca + leaf, key, "the certificates in tls.certificate are in the wrong order; the right one is \"CN=leaf\", \"CN=ca\""),
            (leaf + root + ca, key, "the certificates in tls.certificate are in the wrong order; the right one is \"CN=leaf\", \"CN=ca\", \"CN=root\""),
            (leaf + root, key, "tls.certificate: none of the other certificates issued \"CN=leaf\", whose issuer is \"CN=ca\"; put in that one, and take out what is no issuer"),
            (leaf + ca + (try files.read("other.pem")), key, "tls.certificate: none of the other certificates issued \"CN=ca\", whose issuer is \"CN=root\"; put in that one, and take out what is no issuer"),
            (damaged + ca, key, "certificate 1 of 2 in tls.certificate is damaged, or of an unknown algorithm"),
            (try files.read("edwards.pem"), try files.read("edwards.key"), "the private key in tls.key is neither RSA nor ECDSA on P-256 or P-384, and it is Ed25519"),
            (try files.read("p521.pem"), try files.read("p521.key"), "the private key in tls.key is neither RSA nor ECDSA on P-256 or P-384, and it is ECDSA on another curve"),
            (leaf, try files.read("short.key"), "the RSA key in tls.key has 1024 bits, where at least 2048 are needed"),
            (String(repeating: leaf, count: 11), key, "tls.certificate holds 11 certificates, where only the server's and its issuers' belong"),
            ("file:tls.pem", key, "tls.certificate: tls.pem is no absolute path; write file:/PATH"),
            ("file:", key, "tls.certificate: an empty path is no absolute path; write file:/PATH"),
            ("file:/nowhere/tls.pem", key, "/nowhere/tls.pem cannot be read: No such file or directory; correct the path, or put the file there"),
            ("file:\(files.path)", key, "\(files.path) is not a file"),
        ]
        for (index, (certificate, key, expected)) in cases.enumerated() {
            let served = try await bench.serve(certificate, key, "\(index)")
            #expect(served.problem == expected)
            #expect(served.chain.isEmpty && served.privateKey.isEmpty)
        }
        for name in ["encrypted.key", "legacy.key"] {
            let served = try await bench.serve(leaf + ca, files.read(name), name)
            #expect(served.problem.hasPrefix("tls.key is encrypted with a passphrase") && served.problem.contains("`openssl pkey -in"))
        }
    }

    @Test("a text cut at any byte is a fault or the same certificate, never a crash")
    func truncated() async throws {
        let files = try await CertificateFiles()
        let bench = try CustomBench()
        let certificate = try files.read("leaf.pem"), key = try files.read("leaf.key")
        for length in stride(from: 0, to: certificate.utf8.count, by: 7) {
            let served = try await bench.serve(String(certificate.prefix(length)), key, "c\(length)")
            #expect(served.chain.isEmpty && !served.problem.isEmpty || length > certificate.utf8.count - 2)
        }
        for length in stride(from: 0, to: key.utf8.count, by: 3) {
            let served = try await bench.serve(certificate, String(key.prefix(length)), "k\(length)")
            #expect(served.chain.isEmpty && !served.problem.isEmpty || length > key.utf8.count - 2)
        }
    }
}
