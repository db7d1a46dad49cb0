// Signatures and basic constraints of a chain, by BoringSSL's path validation (RFC 5280, section 6).

internal import CNIOBoringSSL

/// The trusted roots in the form that path validation wants.
final class SignedPath {
    private let store: OpaquePointer
    /// The parsed roots, each held by the store as well, in the order they were given.
    private let roots: [OpaquePointer]

    /// - Returns: nil if a root cannot be parsed, or there is no memory.
    init?(roots ders: [[UInt8]]) {
        defer { ERR_clear_error() }
        guard let store = X509_STORE_new() else { return nil }
        var roots: [OpaquePointer] = []
        for der in ders {
            guard let root = Self.parse(der) else { break }
            roots.append(root)
            if X509_STORE_add_cert(store, root) != 1 { break }
        }
        self.store = store
        self.roots = roots
        // The deinitialiser frees both, whichever way this ends.
        if roots.count != ders.count { return nil }
    }

    deinit {
        for root in roots { X509_free(root) }
        X509_STORE_free(store)
    }

    /// Checks that `intermediate` signed `leaf`, a root signed `intermediate`, and both may.
    ///
    /// Neither dates nor critical extensions are looked at: the caller checks dates with a tolerance that BoringSSL does not
    /// have, and must have checked that every critical extension of both is one that it knows.
    /// - Returns: The index of the root, or why not.
    func verify(leaf: [UInt8], intermediate: [UInt8]) -> Result<Int, IdentityError> {
        // What is left in the queue would be taken for an error of the TLS session that this thread serves next.
        defer { ERR_clear_error() }
        guard let leaf = Self.parse(leaf) else { return .failure(.untrusted("the leaf is not a readable certificate")) }
        defer { X509_free(leaf) }
        guard let intermediate = Self.parse(intermediate) else {
            return .failure(.untrusted("the enforcer's intermediate is not a readable certificate"))
        }
        defer { X509_free(intermediate) }
        guard let context = X509_STORE_CTX_new(), let untrusted = sk_X509_new_null() else { return .failure(Self.noMemory) }
        defer {
            X509_STORE_CTX_free(context)
            // The stack borrows the intermediate.
            sk_X509_free(untrusted)
        }
        guard sk_X509_push(untrusted, intermediate) == 1, X509_STORE_CTX_init(context, store, leaf, untrusted) == 1 else {
            return .failure(Self.noMemory)
        }
        X509_STORE_CTX_set_flags(context, UInt(X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_IGNORE_CRITICAL))
        guard X509_verify_cert(context) == 1 else {
            let code = Int(X509_STORE_CTX_get_error(context))
            return .failure(.untrusted("the certificate chain: \(String(cString: X509_verify_cert_error_string(code)))"))
        }
        // The path that was found must run through the intermediate, whose namespaces the caller goes by; one that a
        // root signed directly would leave it out.
        guard let path = X509_STORE_CTX_get0_chain(context), sk_X509_num(path) == 3,
            X509_cmp(sk_X509_value(path, 1), intermediate) == 0,
            let root = roots.firstIndex(where: { X509_cmp(sk_X509_value(path, 2), $0) == 0 })
        else { return .failure(.untrusted("the leaf was not signed by the enforcer's intermediate presented with it")) }
        return .success(root)
    }

    private static let noMemory = IdentityError.untrusted("out of memory while verifying a certificate chain")

    private static func parse(_ der: [UInt8]) -> OpaquePointer? {
        der.withUnsafeBufferPointer { bytes in
            var next = bytes.baseAddress
            guard let certificate = d2i_X509(nil, &next, bytes.count) else { return nil }
            if next == bytes.baseAddress.map({ $0 + bytes.count }) { return certificate }
            // Bytes behind the certificate: not one that others would read the same way.
            X509_free(certificate)
            return nil
        }
    }
}
