// What protects session tickets: one key for each kind of client and TLS library.

/// Secrets of this process, the same for all its workers.
struct TicketKeys: Sendable {
    /// 48 bytes, as BoringSSL takes them.
    let enforcers: [UInt8]
    /// 48 bytes; clients of public ports.
    let clients: [UInt8]
    /// 80 bytes, as OpenSSL takes them; clients of public ports that it serves.
    let opensslClients: [UInt8]

    init(using generator: inout SystemRandomNumberGenerator) {
        func secret(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) } }
        enforcers = secret(48)
        clients = secret(48)
        opensslClients = secret(80)
    }
}
