// Where a service's certificate and key come from: inline, or files.

import Linux
import PluginKit

/// `tls.certificate` or `tls.key` of a service.
enum TextSource: Hashable, Sendable {
    case inline(String)
    case file(String)

    /// "file:/PATH" is a file's, everything else is PEM.
    init(_ text: String) {
        let prefix = "file:"
        self = text.hasPrefix(prefix) ? .file(String(text.dropFirst(prefix.count))) : .inline(text)
    }

    var path: String? { if case .file(let path) = self { path } else { nil } }

    /// - Parameter field: "tls.key".
    fileprivate func read(_ field: String) throws(CertificateFault) -> CertificateFile {
        switch self {
        case .inline(""): throw CertificateFault("\(field) is missing: give PEM, or file: and an absolute path")
        case .inline(let text): return CertificateFile(text: text, place: field, isExposed: false)
        case .file(let path):
            guard path.hasPrefix("/") else {
                throw CertificateFault("\(field): \(path.isEmpty ? "an empty path" : path) is no absolute path; write file:/PATH")
            }
            return try CertificateFile(reading: path, place: path)
        }
    }
}

/// What a service's public port is to serve.
struct PairSource: Hashable, Sendable {
    let certificate: TextSource
    let key: TextSource

    init(_ service: PublicService) {
        certificate = TextSource(service.tls.certificate)
        key = TextSource(service.tls.key)
    }

    var paths: [String] { [certificate.path, key.path].compactMap { $0 } }

    /// Reads both now.
    func read() -> Result<PairTexts, CertificateFault> {
        Result { () throws(CertificateFault) in
            PairTexts(certificate: try certificate.read("tls.certificate"), key: try key.read("tls.key"))
        }
    }
}

/// What was read of both.
struct PairTexts: Equatable, Sendable {
    let certificate: CertificateFile
    let key: CertificateFile

    func pair() throws(CertificateFault) -> CertificatePair {
        try CertificatePair(certificate: certificate.text, place: certificate.place, key: key.text, keyPlace: key.place)
    }

    /// What is wrong with files that serve all the same; empty if nothing is.
    var warning: String { key.isExposed ? "\(key.place) can be read or written by every user; run `chmod 600 \(key.place)`" : "" }
}

/// A text and what its file's mode allows.
struct CertificateFile: Equatable, Sendable {
    /// A chain of ten certificates with RSA keys of 16384 bits stays under this.
    static let maximumSize = 256 << 10

    let text: String
    let place: String
    /// Every user of the machine can read or write it.
    let isExposed: Bool

    init(text: String, place: String, isExposed: Bool) {
        self.text = text
        self.place = place
        self.isExposed = isExposed
    }

    /// Symbolic links are followed, as mounted secrets need.
    init(reading path: String, place: String) throws(CertificateFault) {
        var status = stat()
        var bytes: [UInt8] = []
        do throws(SystemCallError) {
            // Non-blocking, so that a FIFO in the place of a file cannot hold the plugin up.
            let file = try Descriptor(opening: path, flags: O_RDONLY | O_NONBLOCK)
            try syscall("fstat", path) { fstat(file.raw, &status) }
            var chunk = [UInt8](repeating: 0, count: 16 << 10)
            while status.st_mode & S_IFMT == S_IFREG, bytes.count <= Self.maximumSize {
                let count = try syscall("read", path) { Linux.read(file.raw, &chunk, chunk.count) }
                if count == 0 { break }
                bytes += chunk[..<count]
            }
        } catch {
            let mend = error.errno == ENOENT ? "; correct the path, or put the file there" : error.errno == EACCES ? "; let the plugin's user read it" : ""
            throw CertificateFault("\(path) cannot be read: \(String(cString: strerror(error.errno)))\(mend)")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw CertificateFault("\(path) is not a file") }
        guard bytes.count <= Self.maximumSize else { throw CertificateFault("\(path) is over \(Self.maximumSize) bytes, which no certificate or key is") }
        self.init(text: String(decoding: bytes, as: UTF8.self), place: place, isExposed: status.st_mode & 0o006 != 0)
    }
}
