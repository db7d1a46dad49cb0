// The SHA-256 that a drop-in may ask of a plugin's file.

import COpenSSL
import PluginCarriers

extension PluginFile {
    /// - Parameter expected: 64 hexadecimal digits in lower case, as sha256sum(1) prints.
    /// - Throws: `PluginFault.wrongDigest` if the file has another one.
    func check(sha256 expected: String) throws(PluginFault) {
        let actual = try sha256()
        if actual != expected { throw .wrongDigest(path: path, expected: expected, actual: actual) }
    }

    private func sha256() throws(PluginFault) -> String {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        EVP_DigestInit_ex(context, EVP_sha256(), nil)
        try read { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        var digest = [UInt8](repeating: 0, count: 32)
        // A failure of any step leaves zeros, which no file has.
        EVP_DigestFinal_ex(context, &digest, nil)
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
