// Certificates and keys of every kind, made by openssl(1): another implementation than the one under test.

import Linux
import Support

/// A folder in which openssl makes files.
final class CertificateFiles: Sendable {
    let folder: TemporaryFolder
    var path: String { folder.path }

    /// Makes a root, an intermediate below it, and a server's certificate below that: root.pem, ca.pem, leaf.pem, leaf.key.
    init(key: String = "EC", days: Int = 90) async throws {
        folder = try TemporaryFolder()
        try await openssl("req -x509 -subj /CN=root -keyout root.key -out root.pem -days 3650 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256")
        try folder.write("basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n", to: "ca.ext")
        try folder.write("subjectAltName=DNS:web.example.org\n", to: "leaf.ext")
        try await make("ca", below: "root", key: "EC", extensions: "ca.ext", days: 3000)
        try await make("leaf", below: "ca", key: key, extensions: "leaf.ext", days: days)
    }

    /// Makes NAME.key and NAME.pem.
    /// - Parameters:
    ///   - key: "EC", "P-384", "P-521", "RSA:2048", "ED25519".
    ///   - days: Negative: it ended before it began to be made.
    func make(_ name: String, below issuer: String, key: String, extensions: String = "leaf.ext", days: Int = 90) async throws {
        let parts = key.split(separator: ":")
        let options =
            switch parts[0] {
            case "RSA": "-algorithm RSA -pkeyopt rsa_keygen_bits:\(parts[1])"
            case "ED25519": "-algorithm ED25519"
            case "EC": "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
            default: "-algorithm EC -pkeyopt ec_paramgen_curve:\(parts[0])"
            }
        try await openssl("genpkey \(options) -out \(name).key")
        try await openssl("req -new -key \(name).key -subj /CN=\(name) -out \(name).csr")
        try await openssl(
            "x509 -req -in \(name).csr -CA \(issuer).pem -CAkey \(issuer).key -set_serial \(UInt32.random(in: 1...UInt32.max)) -days \(days) -extfile \(extensions) -out \(name).pem")
    }

    @discardableResult
    func openssl(_ arguments: String) async throws -> String {
        let placed = arguments.split(separator: " ").map { argument in
            [".pem", ".key", ".csr", ".ext"].contains { argument.hasSuffix($0) } ? "\(path)/\(argument)" : String(argument)
        }
        return try await runProgram(["openssl"] + placed)
    }

    func read(_ names: String...) throws -> String { try names.map { try folder.read($0) }.joined() }

    /// As an editor or `mv` does it: another file under the name.
    func replace(_ name: String, with text: String, mode: mode_t = 0o600) throws {
        try folder.write(text, to: name + ".new", mode: mode)
        rename("\(path)/\(name).new", "\(path)/\(name)")
    }
}
