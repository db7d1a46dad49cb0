// TLS by the distribution's OpenSSL, for everything that faces others: applications that speak only TLS.

internal import COpenSSL
import TLSEngine

/// An OpenSSL `SSL_CTX` for sessions that this enforcer opens as a client.
public final class OpenSSLContext: TLSContext {
    private let context: OpaquePointer
    private let serverName: String?

    /// - Throws: `TLSFailure` if the roots cannot be used, or the options ask for what only the other engine does.
    public init(_ options: TLSOptions) throws(TLSFailure) {
        guard options.role == .client, options.chain.isEmpty else {
            throw TLSFailure(.other, "the OpenSSL engine opens sessions as a client without a certificate; use the BoringSSL engine between enforcers")
        }
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw opensslFailure("no memory for a TLS context") }
        self.context = context
        serverName = options.serverName
        // From here on a failure runs deinit, which frees it: all properties are set.
        copenssl_set_min_proto_version(context, TLS1_2_VERSION)
        // Idle connections keep no buffers; SSL_CTX_set_mode(3).
        copenssl_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_AUTO_RETRY))
        copenssl_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        try setVerification(options)
        guard let name = options.applicationProtocol else { return }
        let list = [UInt8(truncatingIfNeeded: name.utf8.count)] + Array(name.utf8)
        if SSL_CTX_set_alpn_protos(context, list, UInt32(list.count)) != 0 { throw opensslFailure("the application protocol cannot be used") }
    }

    deinit { SSL_CTX_free(context) }

    private func setVerification(_ options: TLSOptions) throws(TLSFailure) {
        switch options.verification {
        case .none: SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        case .byThread: throw TLSFailure(.other, "enforcers' certificates are verified by the BoringSSL engine")
        case .roots(let pem, let name):
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            if let name, X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), name, 0) != 1 { throw opensslFailure("the server name") }
            guard let store = SSL_CTX_get_cert_store(context), addRoots(pem, store) > 0 else {
                throw opensslFailure("the CA bundle holds no certificate")
            }
        }
    }

    private func addRoots(_ pem: String, _ store: OpaquePointer) -> Int {
        var pem = pem
        return pem.withUTF8 { text in
            guard let bio = BIO_new_mem_buf(text.baseAddress, Int32(truncatingIfNeeded: text.count)) else { return 0 }
            defer { BIO_free(bio) }
            var count = 0
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) {
                count += Int(X509_STORE_add_cert(store, certificate))
                X509_free(certificate)
            }
            // The reader ends with an error that there are no more.
            ERR_clear_error()
            return count
        }
    }

    public func open(on wire: UnsafeMutablePointer<TLSWire>, binding: [UInt8], ticket: TLSTicket?) -> TLSHandle? {
        guard let session = SSL_new(context) else { return nil }
        guard let bio = opensslBIO(over: wire) else {
            SSL_free(session)
            return nil
        }
        SSL_set_bio(session, bio, bio)
        if let serverName { copenssl_set_server_name(session, serverName) }
        SSL_set_connect_state(session)
        return session
    }

    public func handshake(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) -> TLSStep {
        step(session, wire) { SSL_do_handshake(session) }
    }

    public func read(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, into buffer: UnsafeMutablePointer<UInt8>, capacity: Int
    ) -> TLSStep {
        step(session, wire) { SSL_read(session, buffer, Int32(truncatingIfNeeded: capacity)) }
    }

    public func write(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, from buffer: UnsafePointer<UInt8>, count: Int
    ) -> TLSStep {
        step(session, wire) { SSL_write(session, buffer, Int32(truncatingIfNeeded: count)) }
    }

    public func closeNotify(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) {
        _ = SSL_shutdown(session)
        ERR_clear_error()
    }

    public func sendAlert(_ code: UInt8, _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) {
        // OpenSSL has no call for it; the end of the connection tells the application as much.
    }

    public func details(_ session: TLSHandle) -> TLSDetails {
        TLSDetails(
            version: UInt16(truncatingIfNeeded: SSL_version(session)),
            cipher: SSL_get_current_cipher(session).map { UInt16(truncatingIfNeeded: copenssl_cipher_id($0)) } ?? 0,
            resumed: SSL_session_reused(session) == 1)
    }

    public func peerChain(_ session: TLSHandle) -> [[UInt8]] {
        guard let chain = SSL_get_peer_cert_chain(session) else { return [] }
        return (0..<copenssl_certificate_count(chain)).compactMap { index in
            guard let certificate = copenssl_certificate(chain, index) else { return nil }
            var pointer: UnsafeMutablePointer<UInt8>?
            let count = i2d_X509(certificate, &pointer)
            guard count > 0, let pointer else { return nil }
            defer { CRYPTO_free(pointer, #file, #line) }
            return Array(UnsafeBufferPointer(start: pointer, count: Int(count)))
        }
    }

    public func free(_ session: TLSHandle) { SSL_free(session) }

    @inline(__always)
    private func step(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, _ call: () -> Int32) -> TLSStep {
        // OpenSSL's queue must be empty before a call whose error is asked for; SSL_get_error(3).
        ERR_clear_error()
        let result = call()
        if result > 0 { return .done(Int(result)) }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: return .needsInput
        case SSL_ERROR_ZERO_RETURN: return .closed
        default:
            wire.pointee.failure = opensslFailure("TLS failed")
            return .failed
        }
    }
}

/// Takes what OpenSSL says of the last failure, and empties its queue.
private func opensslFailure(_ fallback: String) -> TLSFailure {
    let code = ERR_get_error()
    ERR_clear_error()
    if code == 0 { return TLSFailure(.other, fallback) }
    let words = ERR_reason_error_string(code).map { String(cString: $0) } ?? fallback
    switch copenssl_reason(code) {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST: return TLSFailure(.notTLS, words)
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return TLSFailure(.certificateRefused, words)
    // OpenSSL numbers the reasons for received alerts from 1000 (`SSL_AD_REASON_OFFSET`).
    case let reason where reason >= 1000 && reason < 1256: return TLSFailure(.alert(UInt8(truncatingIfNeeded: reason - 1000)), words)
    default: return TLSFailure(.other, words)
    }
}
