// Keys of processing units: made here, and never leave the daemon.

internal import CNIOBoringSSL

/// A new key.
public struct KeyPair: Sendable {
    /// DER PKCS#8.
    public let privateKey: [UInt8]
    /// DER SubjectPublicKeyInfo.
    public let publicKey: [UInt8]

    /// Makes a key on the curve P-256: what peers accept in leaves, and the fastest to sign with.
    /// - Returns: nil when there is no memory.
    public static func generate() -> KeyPair? {
        defer { ERR_clear_error() }
        guard let key = EVP_PKEY_generate_from_alg(EVP_pkey_ec_p256()) else { return nil }
        defer { EVP_PKEY_free(key) }
        guard let privateKey = marshal({ EVP_marshal_private_key($0, key) }),
            let publicKey = marshal({ EVP_marshal_public_key($0, key) })
        else { return nil }
        return KeyPair(privateKey: privateKey, publicKey: publicKey)
    }

    private static func marshal(_ body: (UnsafeMutablePointer<CBB>) -> Int32) -> [UInt8]? {
        var builder = CBB()
        // A P-256 key is 138 bytes in PKCS#8; the builder grows if that ever changes.
        guard CBB_init(&builder, 256) == 1 else { return nil }
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard body(&builder) == 1, CBB_finish(&builder, &bytes, &count) == 1, let bytes else {
            CBB_cleanup(&builder)
            return nil
        }
        defer { OPENSSL_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }
}
