// Somebody who talks to a protected port and is no enforcer, or a bad one: with bytes, with a TLS client, with certificates.

import Foundation
import Support

/// Certificates on disk for `openssl s_client`, and bytes to send.
final class Intruder {
    private let place: any NetworkPlace
    /// Where it connects: address and port.
    private let target: (host: String, port: UInt16)
    private let directory: TemporaryDirectory

    init(from place: some NetworkPlace, to host: String, port: UInt16) throws {
        self.place = place
        target = (host, port)
        directory = try TemporaryDirectory()
    }

    // MARK: - Bytes

    /// Sends bytes one at a time, a moment apart, and then stays until it is answered or the other end closes.
    /// - Returns: With the number of bytes of the answer that were read, 0 or 1, as output.
    @discardableResult
    func drips(_ bytes: [UInt8]) throws -> ProgramResult {
        let script = """
            exec 3<>/dev/tcp/\(target.host)/\(target.port) || exit 7
            for byte in \(bytes.map { String(format: "%02x", $0) }.joined(separator: " ")); do
              printf "\\\\x$byte" >&3 || exit 56
              sleep 0.002
            done
            timeout 10 head -c 1 <&3 | wc -c
            """
        return try place.run("bash", "-c", script)
    }

    /// Sends bytes at once, and gives what was answered until the other end closed.
    @discardableResult
    func sends(_ bytes: [UInt8]) throws -> ProgramResult {
        let file = try write("bytes", bytes)
        return try place.run("bash", "-c", "exec 3<>/dev/tcp/$0/$1 && cat \"$2\" >&3 && timeout 10 cat <&3", target.host, "\(target.port)", file)
    }

    // MARK: - TLS

    /// Connects with `openssl s_client`, sends bytes inside the session, and waits for the other end to close.
    /// - Parameters:
    ///   - credentials: What it presents; nil for no certificate.
    ///   - closes: Ends the session after the bytes instead.
    @discardableResult
    func connects(
        _ credentials: TestCredentials?, alpn: String? = "sallyport/1", sending bytes: [UInt8] = [], closes: Bool = false, options: String...
    ) throws -> ProgramResult {
        var arguments = ["-connect", "\(target.host):\(target.port)", closes ? "-brief" : "-quiet"] + options
        if let alpn { arguments += ["-alpn", alpn] }
        if let credentials {
            arguments += ["-cert", try write("leaf.pem", pem("CERTIFICATE", credentials.chain.prefix(1)))]
            arguments += ["-key", try write("key.pem", pem("PRIVATE KEY", [credentials.privateKey]))]
            if credentials.chain.count > 1 {
                arguments += ["-cert_chain", try write("chain.pem", pem("CERTIFICATE", credentials.chain.dropFirst()))]
            }
        }
        let file = try write("bytes", bytes)
        return try place.run("bash", "-c", "exec timeout 20 openssl s_client \"${@:2}\" < \"$1\"", "bash", file, arguments: arguments)
    }

    private func pem(_ label: String, _ ders: some Sequence<[UInt8]>) -> [UInt8] {
        Array(ders.map { "-----BEGIN \(label)-----\n\(Data($0).base64EncodedString(options: .lineLength64Characters))\n-----END \(label)-----\n" }.joined().utf8)
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = "\(directory.path)/\(name)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }
}

/// The first bytes of an enforcer.
let enforcersClientHello = clientHello(offering: "sallyport/1")

/// A ClientHello for TLS 1.3 that offers one application protocol (RFC 8446, 4.1.2).
func clientHello(offering name: String) -> [UInt8] {
    func vector(_ bytes: [UInt8], _ width: Int = 2) -> [UInt8] { (0..<width).reversed().map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes }
    func extended(_ type: UInt8, _ body: [UInt8]) -> [UInt8] { [0, type] + vector(body) }
    let extensions =
        extended(43, vector([3, 4], 1))  // supported_versions: TLS 1.3
        + extended(10, vector([0, 29])) + extended(13, vector([4, 3]))  // X25519, ECDSA with P-256 and SHA-256
        + extended(51, vector([0, 29] + vector([9] + [UInt8](repeating: 0, count: 31))))  // key_share: the base point
        + extended(16, vector(vector(Array(name.utf8), 1)))
    let hello = [3, 3] + [UInt8](repeating: 7, count: 32) + [0] + vector([0x13, 0x01]) + [1, 0] + vector(extensions)
    return [22, 3, 1] + vector([1] + vector(hello, 3))
}

/// What reaches an application: connections to `port` that its namespace lets in, counted by the kernel.
struct Deliveries {
    private let place: any NetworkPlace

    /// Counts from now on.
    init(to place: some NetworkPlace, port: UInt16) throws {
        self.place = place
        // Behind the enforcer's own chain, which has the priority 0. What nat led to the enforcer has its port by then; where sockets are steered, the
        // socket that the packet will come to is a transparent one of the enforcer's, or the application's.
        try place.nft("""
            table inet deliveries {
              counter connects {}
              chain input { type filter hook input priority 10; tcp dport \(port) tcp flags & (syn | ack) == syn socket transparent 0 counter name connects; }
            }
            """)
    }

    var count: Int {
        get throws {
            let listed = try place.run("nft", "list", "counter", "inet", "deliveries", "connects").output
            guard let packets = listed.split(whereSeparator: \.isWhitespace).drop(while: { $0 != "packets" }).dropFirst().first.flatMap({ Int($0) }) else {
                throw NetworkError(what: "no count in \(listed)")
            }
            return packets
        }
    }
}
