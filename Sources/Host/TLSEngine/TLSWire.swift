// Ciphertext on its way in and out of a TLS library, in buffers that belong to the thread.
//
// Connections own no buffers: one wire per worker thread holds what one recv(2) brought and what
// one send(2) will take. The more that is, the less a byte costs, and the more a slow reader holds (docs/performance.md).

/// The memory through which the TLS sessions of one thread read and write ciphertext.
///
/// A session belongs to the thread whose wire it was opened on. Before a call, the caller puts what
/// arrived in `input[inputStart..<inputEnd]`; after it, it sends `output[..<outputCount]`, and what
/// is left of the input is either nothing, or raw bytes that came behind a close_notify.
public struct TLSWire {
    /// One read's worth of ciphertext or of plaintext.
    public static let bufferSize = 512 * 1024
    /// What one read can decrypt to: its own bytes, and a record of which the library held the beginning.
    public static let plaintextSize = bufferSize + 32 * 1024
    /// Room for `plaintextSize` as records: 22 bytes more for each 16 KiB (RFC 8446, 5.2), and handshake messages.
    static let outputSize = plaintextSize + 32 * 1024

    public let input: UnsafeMutablePointer<UInt8>
    public var inputStart = 0
    public var inputEnd = 0
    public let output: UnsafeMutablePointer<UInt8>
    public var outputCount = 0

    /// Judges the peer's chain (DER, leaf first) while the handshake runs. Set once by the thread.
    public var verifyPeer: (_ chain: [[UInt8]]) -> TLSPeerVerdict = { _ in .refused(alert: 48) }
    /// The newest ticket that a server sent during the last call, for the caller to take.
    public var receivedTicket: TLSTicket?
    /// Why the last call failed, if it did.
    public var failure: TLSFailure?

    /// The libraries' BIO objects over this wire, made on first use and shared by all its sessions.
    package var boringBIO: OpaquePointer?
    package var opensslBIO: OpaquePointer?

    private init() {
        input = .allocate(capacity: TLSWire.bufferSize)
        output = .allocate(capacity: TLSWire.outputSize)
    }

    /// Makes the wire of a thread. It lives as long as the thread and is never freed before its sessions.
    public static func make() -> UnsafeMutablePointer<TLSWire> {
        let wire = UnsafeMutablePointer<TLSWire>.allocate(capacity: 1)
        wire.initialize(to: TLSWire())
        return wire
    }

    /// Forgets what another session may have left.
    public mutating func clear() {
        inputStart = 0
        inputEnd = 0
        outputCount = 0
        failure = nil
    }

    /// Whether the library has taken all the ciphertext that arrived. Inlinable: a call across modules copies the wire.
    @inlinable package var isDrained: Bool { inputStart == inputEnd }

    /// Copies ciphertext for a library that asks; 0 when there is none.
    package mutating func take(_ destination: UnsafeMutableRawPointer, _ count: Int) -> Int {
        let count = min(count, inputEnd - inputStart)
        if count > 0 {
            destination.copyMemory(from: input + inputStart, byteCount: count)
            inputStart += count
        }
        return count
    }

    /// Takes ciphertext from a library; fewer than `count` when full.
    package mutating func put(_ source: UnsafeRawPointer, _ count: Int) -> Int {
        let count = min(count, TLSWire.outputSize - outputCount)
        if count > 0 {
            UnsafeMutableRawPointer(output + outputCount).copyMemory(from: source, byteCount: count)
            outputCount += count
        }
        return count
    }
}
