// Names for the numbers of TLS versions and cipher suites (IANA, "TLS Cipher Suites").

func tlsVersionName(_ number: UInt16) -> String {
    switch number {
    case 0x0304: "TLSv1.3"
    case 0x0303: "TLSv1.2"
    default: "0x\(String(number, radix: 16))"
    }
}

/// The suites of TLS 1.3 (RFC 8446, B.4) and those of TLS 1.2 that either engine offers by default; the number for others.
func tlsCipherName(_ number: UInt16) -> String {
    switch number {
    case 0: ""
    case 0x1301: "TLS_AES_128_GCM_SHA256"
    case 0x1302: "TLS_AES_256_GCM_SHA384"
    case 0x1303: "TLS_CHACHA20_POLY1305_SHA256"
    case 0xc02b: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    case 0xc02c: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
    case 0xc02f: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    case 0xc030: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    case 0xcca8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
    case 0xcca9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    default: "0x\(String(number, radix: 16))"
    }
}
