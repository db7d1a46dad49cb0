// PEM is judged by its form, and a key never gets into a message.

import PolicyDocuments
import Testing

@Suite struct PEMTests {
    @Test("one certificate, several, with text between, with CRLF and with indentation are PEM")
    func forms() throws {
        try checkCertificates(certificate)
        try checkCertificates("subject=CN = web\n" + certificate + "\nsubject=CN = ca\n" + certificate)
        try checkCertificates(certificate.replacing("\n", with: "\r\n"))
        try checkCertificates(certificate.split(separator: "\n").map { "    \($0)  " }.joined(separator: "\n"))
        #expect(try PEMBlock.blocks(of: certificate) == [PEMBlock.blocks(of: certificate)[0]])
        #expect(try PEMBlock.blocks(of: certificate)[0].bytes == [0x30, 3, 2, 1, 0])
    }

    @Test("a certificate cut anywhere is not one")
    func truncation() {
        for length in 0..<(certificate.count - 1) {
            #expect(throws: SyntaxProblem.self, "cut to \(length)") { try checkCertificates(String(certificate.prefix(length))) }
        }
    }

    @Test("base64 of every length decodes to what it stands for")
    func base64() throws {
        // SEQUENCE of an OCTET STRING of 0, 1 and 2 bytes: no padding, and one and two "=".
        let vectors: [(String, [UInt8])] = [
            ("MAIEAA==", [0x30, 2, 4, 0]), ("MAMEAf8=", [0x30, 3, 4, 1, 0xff]), ("MAQEAvv/", [0x30, 4, 4, 2, 0xfb, 0xff]),
        ]
        for (text, bytes) in vectors {
            let blocks = try PEMBlock.blocks(of: "-----BEGIN X-----\n\(text)\n-----END X-----")
            #expect(blocks.map(\.bytes) == [bytes])
        }
    }

    @Test("what a certificate field must not hold", arguments: [
        (privateKey, "holds a PEM block of type \"PRIVATE KEY\"; only CERTIFICATE belongs here"),
        ("hello", "holds no PEM certificate; it begins with -----BEGIN CERTIFICATE-----"),
        (certificate.replacing("MAMCAQA=", with: "MAMCAQA"), "its PEM block of line 1 is not base64; copy the file again"),
        (certificate.replacing("MAMCAQA=", with: "MAQCAQA="), "its PEM block of line 1 holds no whole DER structure; copy the file again"),
        (certificate.replacing("MAMCAQA=", with: ""), "its PEM block of line 1 is not base64; copy the file again"),
        (certificate + "-----END CERTIFICATE-----", "its PEM has END \"CERTIFICATE\" on line 4 without the BEGIN line to it"),
    ])
    func notCertificates(text: String, expected: String) {
        #expect(throws: SyntaxProblem.self) { try checkCertificates(text) }
        do throws(SyntaxProblem) { try checkCertificates(text) } catch { #expect(error.message == expected) }
    }

    @Test("a key is one block of a known type without a passphrase")
    func keys() throws {
        try checkPrivateKey(privateKey)
        try checkPrivateKey(privateKey.replacing("PRIVATE KEY", with: "EC PRIVATE KEY"))
        // As `openssl ecparam -genkey` writes it.
        try checkPrivateKey("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + privateKey)
        for text in [privateKey + privateKey, certificate, "", privateKey.replacing("PRIVATE", with: "ENCRYPTED PRIVATE")] {
            #expect(throws: SyntaxProblem.self) { try checkPrivateKey(text) }
        }
    }

    @Test("a message about a key shows nothing of it")
    func secrecy() {
        let secret = "MAMCAQA"
        let texts = [secret, privateKey.replacing("MAMCAQA=", with: secret), privateKey + secret, "-----BEGIN \(secret)"]
        for text in texts {
            do throws(SyntaxProblem) { try checkPrivateKey(text) } catch { #expect(!error.message.contains(secret)) }
        }
    }
}
