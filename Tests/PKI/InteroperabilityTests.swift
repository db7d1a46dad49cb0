import Linux
import PKI
import Support
import Testing

/// Runs the distribution's `openssl`.
/// - Returns: Its exit status and what it wrote to either stream.
private func openssl(_ arguments: String) throws -> (status: Int32, output: String) {
    guard let stream = popen("openssl \(arguments) 2>&1", "r") else { throw SystemCallError(call: "popen", errno: clinux_errno()) }
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 { output += chunk[..<count] }
    return (pclose(stream) >> 8, String(decoding: output, as: UTF8.self))
}

@Suite("OpenSSL reads the same certificates", .enabled(if: (try? openssl("version").status) == 0, "openssl is not installed"))
struct InteroperabilityTests {
    let folder: TemporaryFolder
    let node: String

    init() throws {
        folder = try TemporaryFolder()
        let ca = try CertificateAuthority.create(at: folder.path + "/ca", trustDomain: "test.example", now: TestAuthority.now)
        node = try ca.issueEnforcer("node", namespaces: [NamespacePath("/acme")], now: TestAuthority.now)
        let leaf = try EnforcerFolder(reading: node).authority.issue(
            namespace: NamespacePath("/acme"), name: "web", tags: ["$name=web", "$namespace=/acme", "app=wéb"],
            publicKey: TestAuthority.publicKey(), now: TestAuthority.now, lifetime: 3600)
        try folder.write(pem(leaf.chain[0]), to: "leaf.pem")
    }

    func pem(_ der: [UInt8]) throws -> String {
        // As DER in hexadecimal through xxd would need another tool; openssl wants base64 in lines of 64.
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = "-----BEGIN CERTIFICATE-----\n"
        var column = 0
        for start in stride(from: 0, to: der.count, by: 3) {
            let group = der[start..<min(start + 3, der.count)]
            let word = group.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element) << UInt32(16 - 8 * $1.offset) }
            for index in 0..<4 { text.append(index <= group.count ? alphabet[Int(word >> UInt32(18 - 6 * index) & 63)] : "=") }
            column += 4
            if column == 64 { text += "\n"; column = 0 }
        }
        return text + "\n-----END CERTIFICATE-----\n"
    }

    @Test("the chain's signatures and purposes verify")
    func verify() throws {
        for purpose in ["sslclient", "sslserver"] {
            // OpenSSL does not know the namespaces extension, and says so unless told to pass over it.
            let strict = try openssl("verify -purpose \(purpose) -CAfile \(node)/trust.pem -untrusted \(node)/intermediate.pem \(folder.path)/leaf.pem")
            #expect(strict.status != 0 && strict.output.contains("unhandled critical extension"), "\(strict.output)")
            let verified = try openssl(
                "verify -ignore_critical -x509_strict -purpose \(purpose) -CAfile \(node)/trust.pem -untrusted \(node)/intermediate.pem \(folder.path)/leaf.pem")
            #expect(verified.status == 0, "\(verified.output)")
        }
    }

    @Test("the leaf shows its SPIFFE ID, key usage and tags extension")
    func text() throws {
        let leaf = try openssl("x509 -in \(folder.path)/leaf.pem -noout -text").output
        for expected in [
            "URI:spiffe://test.example/ns/acme/pu/web", "CA:FALSE", "Digital Signature", "TLS Web Server Authentication, TLS Web Client Authentication",
            "prime256v1", "1.3.6.1.4.1.58888.1.1:",
        ] {
            #expect(leaf.contains(expected), "\(expected)")
        }
        let intermediate = try openssl("x509 -in \(node)/intermediate.pem -noout -text").output
        for expected in ["CA:TRUE, pathlen:0", "1.3.6.1.4.1.58888.1.2: critical", "Certificate Sign", "URI:spiffe://test.example"] {
            #expect(intermediate.contains(expected), "\(expected)")
        }
    }
}
