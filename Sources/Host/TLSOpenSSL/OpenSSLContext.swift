// TLS by the distribution's OpenSSL, wherever X.509 chains of others are verified: applications that speak only TLS, load
// balancers, and the clients of public ports that must show a certificate.

internal import COpenSSL
import Linux
import TLSEngine

/// An OpenSSL `SSL_CTX`: TLS 1.2 and 1.3, as a client without a certificate or as a server with one.
public final class OpenSSLContext: TLSContext {
    private let context: OpaquePointer
    private let role: TLSRole
    private let serverName: String?
    /// The application protocols, as TLS has them (RFC 7301, 3.1), each behind its length; here as long as the callback that chooses one.
    private let offered: UnsafeMutableBufferPointer<UInt8>
    private let requiresProtocol: Bool

    /// - Throws: `TLSFailure` if certificate, key or roots cannot be used, or the options ask for what only the other engine does.
    public init(_ options: TLSOptions) throws(TLSFailure) {
        guard options.role == .server || options.chain.isEmpty else {
            throw TLSFailure(.other, "the OpenSSL engine opens sessions as a client without a certificate; use the BoringSSL engine between enforcers")
        }
        guard let context = SSL_CTX_new(options.role == .client ? TLS_client_method() : TLS_server_method()) else {
            throw opensslFailure("no memory for a TLS context")
        }
        self.context = context
        role = options.role
        serverName = options.serverName
        offered = protocolList(options.applicationProtocols)
        requiresProtocol = options.requiresApplicationProtocol
        // From here on a failure runs deinit, which frees it: all properties are set.
        copenssl_set_min_proto_version(context, TLS1_2_VERSION)
        // Idle connections keep no buffers; SSL_CTX_set_mode(3).
        copenssl_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_AUTO_RETRY))
        copenssl_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        try setVerification(options)
        if role == .server { try setServer(options) } else { try setClient(options) }
    }

    deinit {
        SSL_CTX_free(context)
        offered.deallocate()
    }

    private func setClient(_ options: TLSOptions) throws(TLSFailure) {
        if offered.isEmpty { return }
        if SSL_CTX_set_alpn_protos(context, offered.baseAddress, UInt32(offered.count)) != 0 { throw opensslFailure("the application protocols cannot be used") }
    }

    private func setServer(_ options: TLSOptions) throws(TLSFailure) {
        copenssl_set_server_options(context)
        // Forward secret and authenticated (RFC 9325, 4.2); those of TLS 1.3 all are.
        let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
        guard SSL_CTX_set_cipher_list(context, ciphers) == 1, copenssl_set_groups(context, "X25519:P-256:P-384") == 1 else {
            throw opensslFailure("the cipher list")
        }
        try setCertificate(options)
        if let key = options.ticketKey {
            guard copenssl_set_ticket_keys(context, key, key.count) == 1, SSL_CTX_set_num_tickets(context, options.ticketsPerHandshake) == 1 else {
                throw opensslFailure("the ticket key")
            }
        } else {
            SSL_CTX_set_num_tickets(context, 0)
        }
        if !offered.isEmpty { setProtocolChoice() }
    }

    /// Of the protocols that the client offers, the one that this end prefers. A session never outlives the context
    /// (each leg holds both), so the context is there for the callback.
    private func setProtocolChoice() {
        SSL_CTX_set_alpn_select_cb(context, { _, chosen, length, theirs, count, argument in
            guard let theirs, let argument else { return SSL_TLSEXT_ERR_NOACK }
            let context = Unmanaged<OpenSSLContext>.fromOpaque(argument).takeUnretainedValue()
            var name: UnsafeMutablePointer<UInt8>?
            if SSL_select_next_proto(&name, length, context.offered.baseAddress, UInt32(context.offered.count), theirs, count) == OPENSSL_NPN_NEGOTIATED {
                chosen?.pointee = UnsafePointer(name)
                return SSL_TLSEXT_ERR_OK
            }
            // RFC 7301, 3.2: no_application_protocol; or the session is without, as where the server knows nothing of ALPN.
            return context.requiresProtocol ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK
        }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func setCertificate(_ options: TLSOptions) throws(TLSFailure) {
        for (index, der) in options.chain.enumerated() {
            var position: UnsafePointer<UInt8>?
            let certificate = der.withUnsafeBufferPointer { bytes in
                position = bytes.baseAddress
                return d2i_X509(nil, &position, bytes.count)
            }
            guard let certificate else { throw opensslFailure("certificate \(index + 1) of the chain does not decode") }
            defer { X509_free(certificate) }
            let result = index == 0 ? Int(SSL_CTX_use_certificate(context, certificate)) : copenssl_add_chain_certificate(context, certificate)
            if result != 1 { throw opensslFailure("certificate \(index + 1) of the chain") }
        }
        var position: UnsafePointer<UInt8>?
        let key = options.privateKey.withUnsafeBufferPointer { bytes in
            position = bytes.baseAddress
            return d2i_AutoPrivateKey(nil, &position, bytes.count)
        }
        guard let key else { throw opensslFailure("the private key does not decode") }
        defer { EVP_PKEY_free(key) }
        guard SSL_CTX_use_PrivateKey(context, key) == 1, SSL_CTX_check_private_key(context) == 1 else {
            throw opensslFailure("the private key is not the certificate's")
        }
    }

    private func setVerification(_ options: TLSOptions) throws(TLSFailure) {
        switch options.verification {
        case .none: SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        case .byThread: throw TLSFailure(.other, "enforcers' certificates are verified by the BoringSSL engine")
        case .system(let name):
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
            guard X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), name, 0) == 1 else { throw opensslFailure("the server name") }
            guard SSL_CTX_set_default_verify_paths(context) == 1 else { throw opensslFailure("the system's roots; see /etc/ssl/certs") }
        case .roots(let pem, let name):
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (role == .server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nil)
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
                // Tells clients which certificate is wanted.
                if role == .server { SSL_CTX_add_client_CA(context, certificate) }
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
        switch role {
        case .client:
            if let serverName { copenssl_set_server_name(session, serverName) }
            SSL_set_connect_state(session)
        case .server:
            guard SSL_set_session_id_context(session, binding, UInt32(binding.count)) == 1 else {
                SSL_free(session)
                return nil
            }
            SSL_set_accept_state(session)
        }
        return session
    }

    public func handshake(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) -> TLSStep {
        step(session, wire) { SSL_do_handshake(session) }
    }

    public func read(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, into buffer: UnsafeMutablePointer<UInt8>, capacity: Int
    ) -> TLSStep {
        // As in BoringContext.
        if wire.pointee.isDrained && SSL_has_pending(session) == 0 { return .needsInput }
        return step(session, wire) { SSL_read(session, buffer, Int32(truncatingIfNeeded: capacity)) }
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
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        return TLSDetails(
            version: UInt16(truncatingIfNeeded: SSL_version(session)),
            cipher: SSL_get_current_cipher(session).map { UInt16(truncatingIfNeeded: copenssl_cipher_id($0)) } ?? 0,
            resumed: SSL_session_reused(session) == 1,
            applicationProtocol: name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self) })
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
            wire.pointee.failure = opensslFailure("TLS failed", verification: SSL_get_verify_result(session))
            return .failed
        }
    }
}

/// Takes what OpenSSL says of the last failure, and empties its queue.
private func opensslFailure(_ fallback: String, verification: Int = 0) -> TLSFailure {
    let code = ERR_get_error()
    ERR_clear_error()
    if code == 0 { return TLSFailure(.other, fallback) }
    let words = ERR_reason_error_string(code).map { String(cString: $0) } ?? fallback
    switch copenssl_reason(code) {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST: return TLSFailure(.notTLS, words)
    case SSL_R_UNSUPPORTED_PROTOCOL: return TLSFailure(.unsupportedVersion, words)
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return TLSFailure(.certificateRefused, String(cString: X509_verify_cert_error_string(verification)))
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return TLSFailure(.noCertificate, words)
    // OpenSSL numbers the reasons for received alerts from 1000 (`SSL_AD_REASON_OFFSET`).
    case let reason where reason >= 1000 && reason < 1256: return TLSFailure(.alert(UInt8(truncatingIfNeeded: reason - 1000)), words)
    default: return TLSFailure(.other, words)
    }
}
