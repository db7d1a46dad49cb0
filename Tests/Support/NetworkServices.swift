// What stands in a test network: web servers, kube-proxy's rules, an eye on the link.

import Linux

extension NetworkPlace {
    /// Starts nginx on every address and waits for it. Every path answers `body`.
    /// - Parameters:
    ///   - certificate: With which it speaks TLS, and nothing else; nil for plain HTTP.
    ///   - takesProxyProtocol: A PROXY header must come first; `body` may name its source as `$proxy_protocol_addr`.
    @discardableResult
    public func nginx(port: UInt16, body: String, certificate: ServerCertificate? = nil, takesProxyProtocol: Bool = false) throws -> NetworkProgram {
        let directory = try TemporaryDirectory()
        let speaks = (certificate == nil ? "" : " ssl") + (takesProxyProtocol ? " proxy_protocol" : "")
        if let certificate {
            try directory.write("server.pem", certificate.pem)
            try directory.write("server.key", certificate.key)
        }
        let configuration = directory.path + "/nginx.conf"
        try directory.write("nginx.conf", """
            daemon off; master_process off; pid \(directory.path)/pid; error_log stderr warn;
            events { worker_connections 512; }
            http {
              access_log off;
              client_body_temp_path \(directory.path); proxy_temp_path \(directory.path); fastcgi_temp_path \(directory.path);
              uwsgi_temp_path \(directory.path); scgi_temp_path \(directory.path);
              server {
                listen \(port)\(speaks); listen [::]:\(port)\(speaks);
                \(certificate == nil ? "" : "ssl_certificate \(directory.path)/server.pem; ssl_certificate_key \(directory.path)/server.key; ssl_protocols TLSv1.3;")
                location / { default_type text/plain; return 200 "\(body)"; }
              }
            }
            """)
        let nginx = try start("nginx", ["-e", "stderr", "-p", directory.path, "-c", configuration], keeping: directory)
        try nginx.waitUntilListening(port)
        return nginx
    }

    /// Starts HAProxy with `sections` of its configuration behind `global` and `defaults`, and waits until it listens on `port`.
    @discardableResult
    public func haproxy(port: UInt16, _ sections: String) throws -> NetworkProgram {
        let directory = try TemporaryDirectory()
        try directory.write("haproxy.cfg", """
            global
              log stderr format raw local0
            defaults
              mode tcp
              timeout connect 5s
              timeout client 30s
              timeout server 30s
            \(sections)

            """)
        let haproxy = try start("haproxy", ["-db", "-f", directory.path + "/haproxy.cfg"], keeping: directory)
        try haproxy.waitUntilListening(port)
        return haproxy
    }

    /// Starts to record what passes an interface; `filter` as in pcap-filter(7).
    public func capture(_ interface: String, _ filter: String = "tcp") throws -> NetworkCapture {
        let directory = try TemporaryDirectory()
        let file = directory.path + "/capture.pcap"
        // -Z root: else it gives its rights up and could not write here. Packets are written as they come, not a buffer at a time.
        let tcpdump = try start(
            "tcpdump", ["-i", interface, "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-w", file, filter], keeping: directory)
        try tcpdump.wait("listened") { tcpdump.errorsSoFar.contains("listening on") }
        return NetworkCapture(tcpdump: tcpdump, file: file)
    }
}

/// A certificate of a server, signed by itself, and its key; PEM.
public struct ServerCertificate: Sendable {
    public let pem: String
    public let key: String

    /// - Parameter isRSA: Of 2048 bits; otherwise ECDSA on P-256.
    public init(for name: String, isRSA: Bool = false) throws {
        let directory = try TemporaryDirectory()
        let files = (directory.path + "/pem", directory.path + "/key")
        let algorithm = isRSA ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        try NetworkProgram.check("openssl", ["req", "-x509", "-newkey"] + algorithm + [
            "-nodes", "-days", "1", "-subj", "/CN=\(name)",
            "-addext", "subjectAltName=DNS:\(name)", "-out", files.0, "-keyout", files.1,
        ], in: nil)
        let certificate = try Descriptor(opening: files.0, flags: O_RDONLY)
        let privateKey = try Descriptor(opening: files.1, flags: O_RDONLY)
        pem = contents(of: certificate.raw)
        key = contents(of: privateKey.raw)
    }
}

/// A recording of packets.
public final class NetworkCapture {
    private let tcpdump: NetworkProgram
    private let file: String

    init(tcpdump: NetworkProgram, file: String) {
        self.tcpdump = tcpdump
        self.file = file
    }

    /// Ends the recording and gives its bytes, pcap(5), as text: what is not UTF-8 is replaced, so that words in it can be looked for.
    public func stop() throws -> String {
        tcpdump.stop(SIGINT)
        let file = try Descriptor(opening: file, flags: O_RDONLY)
        return contents(of: file.raw)
    }
}

extension NetworkNode {
    /// Gives a service an address of its own, which this node spreads over `endpoints` ("10.244.2.10:80") as kube-proxy does.
    public func clusterIP(_ address: String, port: UInt16, to endpoints: String...) throws {
        let endpoints = try endpoints.map {
            guard let endpoint = SocketAddress($0) else { throw NetworkError(what: "\($0) is not an address and port") }
            return endpoint
        }
        let family = address.contains(":") ? "ip6" : "ip"
        let choices = endpoints.enumerated().map { "\($0) : \($1.address) . \($1.port)" }.joined(separator: ", ")
        let spread = "\(family) daddr \(address) tcp dport \(port) dnat to numgen random mod \(endpoints.count) map { \(choices) }"
        // An endpoint that is given itself would answer itself past us: kube-proxy hides its address.
        let hairpins = endpoints.map { "\(family) saddr \($0.address) \(family) daddr \($0.address) tcp dport \($0.port) masquerade" }
        try nft("""
            table \(family) kube-proxy {
              chain prerouting { type nat hook prerouting priority dstnat;
                \(spread)
              }
              chain output { type nat hook output priority -100;
                \(spread)
              }
              chain postrouting { type nat hook postrouting priority srcnat;
                \(hairpins.joined(separator: "\n    "))
              }
            }
            """)
    }
}
