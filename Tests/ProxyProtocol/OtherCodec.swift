// The codec that this one is compared with: proxy-protocol of PyPI, run by Differential/codec.py.

import Foundation
import Linux
import ProxyProtocol
import Support
import Testing

/// What it read in a connection's first bytes.
struct OtherReading: Decodable {
    enum Verdict: String, Decodable { case header, incomplete, refused }

    struct SSL: Decodable {
        let client: UInt8
        let verify: UInt32
        let version, cn, cipher, sigAlg, keyAlg: String?
    }

    struct Fields: Decodable {
        let type: String
        let proxied: Bool
        /// "HEX:PORT" of an IP address, the path in hexadecimal of a Unix socket.
        let source, destination: String?
        /// By type, in hexadecimal; the last where one comes several times.
        let tlvs: [String: String]
        let authority, netns: String?
        let ssl: SSL?
    }

    let hex: String
    let verdict: Verdict
    let length: Int?
    let fields: Fields?
    let why: String?
}

enum OtherCodec {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

    /// Runs codec.py with `arguments`.
    static func run(_ arguments: [String]) async throws -> [OtherReading] {
        let python = try await runProgram([root.appending(path: "scripts/proxy-protocol-python").path])
        let script = root.appending(path: "Tests/ProxyProtocol/Differential/codec.py").path
        let path = try #require(python.split(separator: "\n").last.map(String.init), "scripts/proxy-protocol-python gave no path")
        let output = try await runProgram([path, script] + arguments)
        let decoder = JSONDecoder()
        return try output.split(separator: "\n").map { try decoder.decode(OtherReading.self, from: Data($0.utf8)) }
    }
}

extension OtherReading.Fields {
    /// What of `header` differs from this; empty if nothing does.
    func differences(_ header: ProxyHeader) -> [String] {
        var found: [String] = []
        func compare<Value: Equatable>(_ name: String, _ own: Value?, _ other: Value?) {
            if own != other { found.append("\(name): \(String(describing: own)) and \(String(describing: other))") }
        }
        func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
        func end(_ address: SocketAddress?) -> String? {
            guard let address else { return nil }
            let bytes = address.address.bytes
            let full = type == "IPv6" && bytes.count == 4 ? [UInt8](repeating: 0, count: 10) + [255, 255] + bytes : bytes
            return "\(hex(full)):\(address.port)"
        }
        let families: [ProxyHeader.Family: String] = [.unspecified: "UNKNOWN", .ipv4: "IPv4", .ipv6: "IPv6", .unix: "UNIX"]
        compare("family", header.command == .local ? "LOCAL" : families[header.family], type)
        compare("source", header.unixPaths.map { hex($0.source) } ?? end(header.source), source)
        compare("destination", header.unixPaths.map { hex($0.destination) } ?? end(header.destination), destination)
        // LOCAL: fields are skipped here (2.2: "discard the protocol block").
        if header.command == .local { return found }
        let tlvs = header.tlvs
        compare("ALPN", tlvs.alpn.map(hex), self.tlvs["1"])
        compare("authority", tlvs.authority, authority)
        compare("checksum", header.hasChecksum, self.tlvs["3"] != nil)
        compare("unique ID", tlvs.uniqueID.map(hex), self.tlvs["5"])
        compare("namespace", tlvs.networkNamespace, netns)
        compare("SSL client", tlvs.ssl?.client.rawValue, ssl?.client)
        compare("SSL verify", tlvs.ssl?.verify, ssl?.verify)
        compare("SSL version", tlvs.ssl?.version, ssl?.version)
        compare("SSL common name", tlvs.ssl?.commonName, ssl?.cn)
        compare("SSL cipher", tlvs.ssl?.cipher, ssl?.cipher)
        compare("SSL signature", tlvs.ssl?.signatureAlgorithm, ssl?.sigAlg)
        compare("SSL key", tlvs.ssl?.keyAlgorithm, ssl?.keyAlg)
        var others = Dictionary(tlvs.others.map { (String($0.type), hex($0.value)) }) { $1 }
        // Were there both an endpoint and others of this type, which came last is not kept: either may be.
        if let id = tlvs.vpcEndpointID.map({ hex([1] + $0.utf8) }), others["234"] == nil || self.tlvs["234"] == id { others["234"] = id }
        compare("others", others, self.tlvs.filter { !["1", "2", "3", "4", "5", "32", "48"].contains($0.key) })
        return found
    }
}
