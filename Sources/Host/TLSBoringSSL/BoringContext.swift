// TLS by BoringSSL: for the sessions between enforcers, where both ends are ours, and for the clients of public ports that
// show no certificate. Its handshakes cost less than OpenSSL's (docs/performance.md); it knows no X.509 here.

internal import CNIOBoringSSL
import TLSEngine
internal import CNIOBoringSSLShims
internal import Linux

/// A BoringSSL `SSL_CTX`: TLS 1.3, or 1.2 too where the options say so; no X.509 objects.
public final class BoringContext: TLSContext {
    private let context: OpaquePointer
    private let role: TLSRole
    /// The application protocols, as TLS has them (RFC 7301, 3.1), each behind its length; here as long as the callback that chooses one.
    private let offered: UnsafeMutableBufferPointer<UInt8>
    private let requiresProtocol: Bool
    private let ticketsPerHandshake: Int

    /// Certificates of peers, kept once however many connections show them.
    private static let pool = SharedPool()

    /// - Throws: `TLSFailure` if the certificate or the key cannot be used.
    public init(_ options: TLSOptions) throws(TLSFailure) {
        guard let context = SSL_CTX_new(TLS_with_buffers_method()) else { throw boringFailure("no memory for a TLS context") }
        self.context = context
        role = options.role
        offered = protocolList(options.applicationProtocols)
        requiresProtocol = options.requiresApplicationProtocol
        ticketsPerHandshake = options.ticketsPerHandshake
        // From here on a failure runs deinit, which frees it: all properties are set.
        SSL_CTX_set_min_proto_version(context, UInt16(options.allowsTLS12 ? TLS1_2_VERSION : TLS1_3_VERSION))
        SSL_CTX_set_max_proto_version(context, UInt16(TLS1_3_VERSION))
        SSL_CTX_set0_buffer_pool(context, BoringContext.pool.raw)
        // X25519 first: it is what both ends are quickest at. NIST's curves for whoever is held to them.
        let groups = [UInt16(SSL_GROUP_X25519), UInt16(SSL_GROUP_SECP256R1), UInt16(SSL_GROUP_SECP384R1)]
        try check(SSL_CTX_set1_group_ids(context, groups, groups.count), "the key exchange groups")
        if options.allowsTLS12 { try setCiphers() }
        try setIdentity(options)
        try setApplicationProtocols(options)
        try setVerification(options)
        try setTickets(options)
    }

    deinit {
        SSL_CTX_free(context)
        offered.deallocate()
    }

    /// Those of TLS 1.2: forward secret and authenticated (RFC 9325, 4.2), the quickest on processors with AES first.
    private func setCiphers() throws(TLSFailure) {
        SSL_CTX_set_options(context, UInt32(SSL_OP_CIPHER_SERVER_PREFERENCE))
        let ciphers = """
            ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
            ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305
            """
        try check(SSL_CTX_set_strict_cipher_list(context, ciphers), "the cipher list")
    }

    private func setIdentity(_ options: TLSOptions) throws(TLSFailure) {
        if options.chain.isEmpty { return }
        var key: OpaquePointer?
        options.privateKey.withUnsafeBufferPointer {
            var bytes = CBS(data: $0.baseAddress, len: $0.count)
            key = EVP_parse_private_key(&bytes)
        }
        guard let key else { throw boringFailure("the private key cannot be read") }
        defer { EVP_PKEY_free(key) }
        let buffers = options.chain.map { CRYPTO_BUFFER_new($0, $0.count, BoringContext.pool.raw) }
        defer { buffers.forEach(CRYPTO_BUFFER_free) }
        try check(SSL_CTX_set_chain_and_key(context, buffers, buffers.count, key, nil), "the certificate and its key")
    }

    private func setApplicationProtocols(_ options: TLSOptions) throws(TLSFailure) {
        if offered.isEmpty { return }
        switch options.role {
        case .client:
            // Returns 0 on success, unlike its neighbours.
            try check(SSL_CTX_set_alpn_protos(context, offered.baseAddress, offered.count) == 0 ? 1 : 0, "the application protocols")
        case .server:
            // A session never outlives the context (each leg holds both), so the context is there for the callback.
            SSL_CTX_set_alpn_select_cb(context, { _, chosen, length, theirs, count, argument in
                guard let argument else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                let context = Unmanaged<BoringContext>.fromOpaque(argument).takeUnretainedValue()
                var name: UnsafeMutablePointer<UInt8>?
                let ours = UInt32(context.offered.count)
                if SSL_select_next_proto(&name, length, context.offered.baseAddress, ours, theirs, count) == OPENSSL_NPN_NEGOTIATED {
                    chosen?.pointee = UnsafePointer(name)
                    return SSL_TLSEXT_ERR_OK
                }
                // RFC 7301, 3.2: no_application_protocol; or the session is without, as where the server knows nothing of ALPN.
                return context.requiresProtocol ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK
            }, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    private func setVerification(_ options: TLSOptions) throws(TLSFailure) {
        switch options.verification {
        case .none:
            SSL_CTX_set_custom_verify(context, SSL_VERIFY_NONE) { _, _ in ssl_verify_ok }
        case .roots, .system:
            throw TLSFailure(.other, "verification by roots is the OpenSSL engine's")
        case .byThread:
            SSL_CTX_set_custom_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT) { session, alert in
                guard let session, let wire = wire(of: session) else { return ssl_verify_invalid }
                switch wire.pointee.verifyPeer(chain(of: session)) {
                case .accepted: return ssl_verify_ok
                case .refused(let code):
                    alert?.pointee = code
                    return ssl_verify_invalid
                }
            }
        }
    }

    private func setTickets(_ options: TLSOptions) throws(TLSFailure) {
        guard let key = options.ticketKey else {
            SSL_CTX_set_options(context, UInt32(SSL_OP_NO_TICKET))
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF)
            return
        }
        switch options.role {
        case .server:
            // Sessions are kept by clients alone.
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF)
            try check(SSL_CTX_set_tlsext_ticket_keys(context, key, key.count), "the ticket key")
            try check(SSL_CTX_set_num_tickets(context, options.ticketsPerHandshake), "the number of tickets")
        case .client:
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL)
            SSL_CTX_sess_set_new_cb(context) { session, ticket in
                guard let ticket, let wire = wire(of: session) else { return 0 }
                wire.pointee.receivedTicket = TLSTicket(ticket, free: SSL_SESSION_free)
                return 1  // the reference is ours now
            }
        }
    }

    // MARK: - Sessions

    public func open(on wire: UnsafeMutablePointer<TLSWire>, binding: [UInt8], ticket: TLSTicket?) -> TLSHandle? {
        guard let session = SSL_new(context) else { return nil }
        guard let bio = boringBIO(over: wire) else {
            SSL_free(session)
            return nil
        }
        SSL_set_bio(session, bio, bio)
        SSL_set_shed_handshake_config(session, 1)
        switch role {
        case .client:
            if let ticket { SSL_set_session(session, ticket.raw) }
            SSL_set_connect_state(session)
        case .server:
            if SSL_set_session_id_context(session, binding, binding.count) != 1 {
                SSL_free(session)
                return nil
            }
            SSL_set_accept_state(session)
        }
        return session
    }

    public func handshake(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) -> TLSStep {
        ERR_clear_error()
        // The library has one number for all. A client that resumes has used up one ticket, and needs one in its place.
        if ticketsPerHandshake > 1 { SSL_CTX_set_num_tickets(context, SSL_session_reused(session) == 1 ? 1 : ticketsPerHandshake) }
        return step(session, wire, SSL_do_handshake(session))
    }

    public func read(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, into buffer: UnsafeMutablePointer<UInt8>, capacity: Int
    ) -> TLSStep {
        // Most reads end so, and asking the library to find out costs more than it does.
        if wire.pointee.isDrained && SSL_has_pending(session) == 0 { return .needsInput }
        return step(session, wire, SSL_read(session, buffer, Int32(truncatingIfNeeded: capacity)))
    }

    public func write(
        _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, from buffer: UnsafePointer<UInt8>, count: Int
    ) -> TLSStep {
        step(session, wire, SSL_write(session, buffer, Int32(truncatingIfNeeded: count)))
    }

    public func closeNotify(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) {
        _ = SSL_shutdown(session)
        ERR_clear_error()
    }

    public func sendAlert(_ code: UInt8, _ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>) {
        _ = SSL_send_fatal_alert(session, code)
        ERR_clear_error()
    }

    public func details(_ session: TLSHandle) -> TLSDetails {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        return TLSDetails(
            version: UInt16(truncatingIfNeeded: SSL_version(session)),
            cipher: SSL_get_current_cipher(session).map { SSL_CIPHER_get_protocol_id($0) } ?? 0,
            resumed: SSL_session_reused(session) == 1,
            applicationProtocol: name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(length)), as: UTF8.self) })
    }

    public func peerChain(_ session: TLSHandle) -> [[UInt8]] { chain(of: session) }

    public func free(_ session: TLSHandle) { SSL_free(session) }

    @inline(__always)
    private func step(_ session: TLSHandle, _ wire: UnsafeMutablePointer<TLSWire>, _ result: Int32) -> TLSStep {
        if result > 0 { return .done(Int(result)) }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: return .needsInput
        case SSL_ERROR_ZERO_RETURN: return .closed
        default:
            wire.pointee.failure = boringFailure("TLS failed")
            return .failed
        }
    }

    private func check(_ result: Int32, _ what: String) throws(TLSFailure) {
        if result != 1 { throw boringFailure("\(what) cannot be used") }
    }
}

/// The peer's certificates as DER.
private func chain(of session: OpaquePointer) -> [[UInt8]] {
    guard let stack = SSL_get0_peer_certificates(session) else { return [] }
    return (0..<CNIOBoringSSLShims_sk_CRYPTO_BUFFER_num(stack)).compactMap { index in
        guard let buffer = CNIOBoringSSLShims_sk_CRYPTO_BUFFER_value(stack, index), let data = CRYPTO_BUFFER_data(buffer) else {
            return nil
        }
        return Array(UnsafeBufferPointer(start: data, count: CRYPTO_BUFFER_len(buffer)))
    }
}

private struct SharedPool: @unchecked Sendable {  // safe: BoringSSL locks the pool itself
    let raw = CRYPTO_BUFFER_POOL_new()
}
