// BoringSSL's error queue as one failure.

internal import CNIOBoringSSL
import TLSEngine

/// Takes what BoringSSL says of the last failure, and empties its queue.
func boringFailure(_ fallback: String) -> TLSFailure {
    let code = ERR_get_error()
    ERR_clear_error()
    if code == 0 { return TLSFailure(.other, fallback) }
    let words = ERR_reason_error_string(code).map { sentence(String(cString: $0)) } ?? fallback
    return TLSFailure(kind(ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0), words)
}

private func kind(_ reason: Int32) -> TLSFailure.Kind {
    switch reason {
    case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_UNEXPECTED_MESSAGE, SSL_R_UNEXPECTED_RECORD,
        SSL_R_DATA_LENGTH_TOO_LONG, SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
        .notTLS
    case SSL_R_UNSUPPORTED_PROTOCOL: .unsupportedVersion
    case SSL_R_NO_APPLICATION_PROTOCOL: .noApplicationProtocol
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: .noCertificate
    case SSL_R_CERTIFICATE_VERIFY_FAILED: .certificateRefused
    // BoringSSL numbers the reasons for received alerts from 1000 (`SSL_AD_REASON_OFFSET`).
    case SSL_AD_REASON_OFFSET..<(SSL_AD_REASON_OFFSET + 256): .alert(UInt8(truncatingIfNeeded: reason - SSL_AD_REASON_OFFSET))
    default: .other
    }
}

/// "WRONG_VERSION_NUMBER" as "wrong version number".
private func sentence(_ reason: String) -> String {
    String(reason.lowercased().map { $0 == "_" ? " " : $0 })
}
