// The blocks of a PEM text, whatever stands between them (RFC 7468, section 5.2: explanatory text).

import SwiftASN1

/// One block, from its BEGIN to its END.
struct PEMBlock {
    /// "CERTIFICATE"
    let label: String
    let text: String

    /// nil if what is between BEGIN and END is no base64.
    var der: [UInt8]? { try? PEMDocument(pemString: text).derBytes }

    /// As RFC 1421, section 4.6.1.1, has it: the way of `openssl rsa -aes256`.
    var isEncrypted: Bool { label == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type: 4,ENCRYPTED") }

    var isPrivateKey: Bool { label.hasSuffix("PRIVATE KEY") }

    var isCertificate: Bool { label == "CERTIFICATE" || label == "X509 CERTIFICATE" || label == "TRUSTED CERTIFICATE" }

    /// The blocks of `text`, in its order; one without its END is left out.
    static func all(in text: String) -> [PEMBlock] {
        var blocks: [PEMBlock] = []
        var lines: [Substring] = []
        var label: Substring?
        for line in text.split(whereSeparator: \.isNewline) {
            if let begun = line.label("BEGIN") {
                label = begun
                lines = [line]
            } else if let open = label {
                lines.append(line)
                if line.label("END") == open {
                    blocks.append(PEMBlock(label: String(open), text: lines.joined(separator: "\n") + "\n"))
                    label = nil
                }
            }
        }
        return blocks
    }
}

extension Substring {
    /// The label of "-----BEGIN LABEL-----", spaces around it left out.
    fileprivate func label(_ word: String) -> Substring? {
        var line = self
        while line.last?.isWhitespace == true { line.removeLast() }
        let prefix = "-----\(word) "
        guard line.hasPrefix(prefix), line.hasSuffix("-----"), line.utf8.count > prefix.utf8.count + 5 else { return nil }
        return line.dropFirst(prefix.count).dropLast(5)
    }
}
