// What protects session tickets: one key for each TLS library, which use their bytes differently.

/// Secrets of this process, the same for all its workers.
struct TicketKeys: Sendable {
    /// 48 bytes, as BoringSSL takes them.
    let enforcers: [UInt8]
    /// 80 bytes, as OpenSSL takes them.
    let clients: [UInt8]

    init(using generator: inout SystemRandomNumberGenerator) {
        enforcers = (0..<48).map { _ in UInt8.random(in: 0...255, using: &generator) }
        clients = (0..<80).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
}
